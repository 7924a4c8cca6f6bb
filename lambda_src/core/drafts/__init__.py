"""Drafts: what the AI is asked, what its text must satisfy, and who releases it."""
