"""The packages: s3prl_plugin/, and upstream/, downstream/ and configs/ as packages in it (setup.cfg says the rest)."""

from setuptools import find_packages, setup

MAPPED = {"s3prl_plugin": "s3prl_plugin"} | {
    name: f"s3prl_plugin.{name}" for name in ("upstream", "downstream", "configs")
}

setup(
    packages=[
        ".".join(filter(None, (package, inner)))
        for folder, package in MAPPED.items()
        for inner in ("", *find_packages(folder))
    ]
)
