"""Other packages: what they offer by entry points, and code of one's own by `--plugin`.

Entry points are read once, when something is first looked up, and nothing of the other package is imported for it. A
package that offers something wrong costs a warning line; it is an error where it is used.
"""

OWN = "s3prl_plugin"
FLAG = "--plugin"
GUIDE = "docs/extending.md"
