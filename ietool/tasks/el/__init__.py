"""Entity linking (CCKS 2019, CCKS 2020): short text → (mention, offset, id in a knowledge base)."""
