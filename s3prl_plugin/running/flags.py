"""The flags of a run, for `--help`: in groups, with what they mean here.

s3prl's parser, which reads them, takes seconds to import and prints every name on its hub; a test compares the two.
"""

from __future__ import annotations

import argparse

EXAMPLES = """examples:
  s3prl-plugin run -m evaluate -d cca -u mr_hubert_tiny -p result/cca
  s3prl-plugin run -m evaluate -d mi -u hubert_local -k hubert.pt -p OUT \\
      -o config.downstream_expert.corpus=timit:/data/timit
  s3prl-plugin run -m train -d suite -c suite/first_light.yaml -u mr_hubert_local -k CKPT -p result/suite
  s3prl-plugin run -m train -d suite -c my_superb.yaml --tasks KS,SID -u wavlm_base -p result/superb

`s3prl-plugin ls upstreams --all`, `ls downstreams` and `ls measures` list what can stand behind -u, -d and in a suite.
The same command again goes on with what is not finished."""

Flag = tuple[str, str | None, str]
GROUPS: dict[str, tuple[Flag, ...]] = {
    "what is measured": (
        (
            "-m --mode",
            "{train,evaluate,inference}",
            "evaluate for a lone analysis, else train (suites, studies, tasks)",
        ),
        ("-d --downstream", "NAME", "an analysis (cca, mi, cka, rank, rate, ...), suite, or a downstream of s3prl's"),
        ("-c --config", "FILE", "the run's configuration: a path, or a packaged one (suite/first_light.yaml)"),
        (
            "-o --override",
            "KEY=VALUE",
            "config.KEY.KEY=VALUE,,args.NAME=VALUE: changes to the configuration",
        ),
        ("--tasks", "{PR,KS,...|none}", "of a suite (-d suite), run these tasks only"),
        ("-t --evaluate_split", "NAME", "with -m evaluate: the split that is scored (default: test)"),
        ("-v --downstream_variant", "NAME", "of a downstream of s3prl's that has several"),
        ("--seed", "N", "of heads, clusters and drawings (default: 1337)"),
    ),
    "the model": (
        ("-u --upstream", "NAME", "whose states are measured"),
        ("-k --upstream_ckpt", "FILE", "its checkpoint: a file, a folder or an address, as the entry takes it"),
        ("-g --upstream_model_config", "FILE", "its options: pool_to, stop_at, random_weights, reset_top, dtype, ..."),
        (
            "-s --upstream_feature_selection",
            "KEY",
            "what a head sees: a tap's name, ... (default: hidden_states)",
        ),
        ("-l --upstream_layer_selection", "N", "one of the layers under -s, in place of their weighted sum"),
        ("--upstream_feature_normalize", None, "normalise every layer before the weighted sum"),
        ("-f --upstream_trainable", None, "fine-tune the upstream with the head"),
        ("-i --init_ckpt", "FILE", "measure the upstream that a run fine-tuned: its checkpoint"),
        ("-r --upstream_refresh", None, "download the checkpoint again"),
        ("--cache_dir", "FOLDER", "where downloads are kept"),
        ("--hub", "{torch,huggingface}", "where s3prl looks for the upstream (default: torch)"),
        ("--upstream_model_name", "FILE", "with --hub huggingface: the model's file (default: model.pt)"),
        ("--upstream_revision", "COMMIT", "with --hub huggingface: the revision"),
    ),
    "where the results go": (
        ("-p --expdir", "FOLDER", "the run's folder"),
        ("-n --expname", "NAME", "the same as -p result/downstream/NAME"),
        (
            "-a --auto_resume",
            None,
            "a lone task goes on from its folder; suites and analyses always do",
        ),
        ("-e --past_exp", "FILE", "go on with this checkpoint of a run, with its own arguments and configuration"),
        ("--json", None, "at the end print the results, a line of JSON each; all else goes to standard error"),
        ("--push_to_hf_hub", "BOOL", "upload the folder to the Hugging Face Hub at the end"),
        ("--hf_hub_org", "NAME", "the organisation there"),
    ),
    "the machine": (
        ("--device", "DEVICE", "cpu, cuda, cuda:1, ... (default: a GPU where there is one)"),
        ("--backend", "NAME", "of torch.distributed (default: nccl on GPUs, else gloo)"),
        ("--local_rank", "N", "given by torchrun"),
        ("--disable_cudnn", None, "compute without cuDNN"),
        ("--verbose", None, "print the modules of the model"),
    ),
    "code from outside": (
        ("--plugin", "MODULE", "run code of your own first: a module or FILE.py (docs/extending.md); may be repeated"),
        ("--trust_remote_code", None, "of -u hf: run the model's own code that comes with it"),
    ),
}


PROGRAM = "s3prl-plugin run"


def text() -> str:
    """What `--help` prints."""
    return parser().format_help()


def parser() -> argparse.ArgumentParser:
    """A parser that knows the flags, for help and completion."""
    made = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Measure the layers of a speech model, train heads of SUPERB's tasks on it, or both in a suite.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=f"{PROGRAM} -m MODE -d DOWNSTREAM -u UPSTREAM -p FOLDER [...]",
    )
    for title, flags in GROUPS.items():
        group = made.add_argument_group(title)
        for names, metavar, what in flags:
            options = {"action": "store_true"} if metavar is None else {"metavar": metavar}
            group.add_argument(*names.split(), help=what, **options)  # type: ignore[arg-type]
    return made
