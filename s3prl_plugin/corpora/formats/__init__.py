"""The formats of corpora: one module each, whose `read` is a `plugins.interfaces.CorpusReader`; `FORMAT:PATH`."""
