"""The commands, one group a file: each reads its options, and shows what came of it."""
