"""The names under which models of Hugging Face's transformers are loaded; imports nothing."""

ENTRIES = ("hf",)
