"""The report page: one HTML file that shows what runs found, without a network."""

from s3prl_plugin.report.page.document import html, write

__all__ = ["html", "write"]
