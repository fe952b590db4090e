"""Folders of runs as the command finds them: rows, and what s3prl keeps beside them."""

import pytest
import tap_rows
import yaml

from s3prl_plugin import results

PEAK = [0.20, 0.22, 0.25, 0.30, 0.40, 0.32, 0.30, 0.25, 0.20]
MEASURES = ("cca_phone", "mi_phone", "cca_word", "cca_speaker", "cca_mel")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A small network with the taps of `tap_rows.TAPS`."""
    from s3prl_plugin.upstream.mr_hubert import small

    path = tmp_path_factory.mktemp("network") / "small.pt"
    return small.write_random_checkpoint(path, small.small_config(dim=32, layers=(2, 2, 2)))


@pytest.fixture
def write_run(checkpoint):
    """Writes a run: rows, arguments, configuration."""

    def write(folder, means=PEAK, measures=MEASURES, suite=None, upstream="mr_hubert_local", options=None, taps=None):
        named = upstream
        if options:  # as the provenance of an upstream has it
            named += "[" + ",".join(f"{key}={value}" for key, value in sorted(options.items())) + "]"
        rows = [
            row
            for i, name in enumerate(measures)
            for row in tap_rows.layers(means, name, seed=i, taps=taps, upstream=named)
        ]
        results.write(folder, rows)
        arguments = {"upstream": upstream, "upstream_ckpt": None, "upstream_model_config": None}
        if upstream == "mr_hubert_local":
            arguments["upstream_ckpt"] = str(checkpoint)
        if options:
            (folder / "options.yaml").write_text(yaml.safe_dump(options))
            arguments["upstream_model_config"] = str(folder / "options.yaml")
        (folder / "args_2026-01-01-00-00-00.yaml").write_text(yaml.safe_dump(arguments))
        said = {"suite": suite if suite is not None else {"corpus": "generated", "analyses": {"cca": {}}}}
        (folder / "config_2026-01-01-00-00-00.yaml").write_text(yaml.safe_dump(said))
        return folder

    return write


@pytest.fixture
def run_folder(write_run, tmp_path):
    """A run of the small network whose best tap is mid.layer0 by every measure."""
    return write_run(tmp_path / "run")
