"""The streaming layer between language models and the people who read them."""
