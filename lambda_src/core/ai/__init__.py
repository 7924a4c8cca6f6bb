"""OpenAI's two interfaces: requests, answers and errors."""
