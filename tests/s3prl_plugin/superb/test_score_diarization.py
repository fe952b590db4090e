"""From s3prl's predictions to the error rate; turns as s3prl's own script makes them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.superb import score_diarization
from s3prl_plugin.superb.diarization_error import turns

h5py = pytest.importorskip("h5py")
spyder = pytest.importorskip("spyder")
FRAME_S = 0.02


@pytest.fixture
def run(tmp_path):
    """Two recordings of 10 s, in which two speakers take turns, and predictions of them."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (tmp_path / "out" / "scoring" / "predictions").mkdir(parents=True)
    (tmp_path / "out" / "frame_shift").write_text("320\n")
    rttm, lengths = [], []
    for name, change in (("r1", 4.0), ("r2", 6.0)):
        for speaker, start, end in (("a", 0.0, change), ("b", change - 1.0, 10.0)):
            rttm.append(f"SPEAKER {name} 1 {start} {end - start} <NA> <NA> {speaker} <NA> <NA>")
        lengths.append(f"{name} 10.0")
    (corpus / "rttm").write_text("\n".join(rttm) + "\n")
    (corpus / "reco2dur").write_text("\n".join(lengths) + "\n")
    return tmp_path / "out", {"downstream_expert": {"loaderrc": {"test_dir": str(corpus)}}}


def predict(folder, wrong=0.0, sure=0.9):
    """Perfect predictions but for the last part of every recording, where the speakers are exchanged."""
    for name, change in (("r1", 4.0), ("r2", 6.0)):
        times = np.arange(500) * FRAME_S
        probable = np.stack([times < change, times >= change - 1.0], axis=1).astype(float)
        probable[500 - round(500 * wrong) :] = probable[500 - round(500 * wrong) :, ::-1]
        # s3prl pads the last chunk: predictions can go on after the recording's end
        probable = np.concatenate([probable, np.ones((50, 2))])
        with h5py.File(folder / "scoring" / "predictions" / f"{name}.h5", "w") as file:
            file["T_hat"] = np.where(probable > 0.5, sure, 1 - sure)


def test_perfect_predictions_have_no_error(run):
    folder, settings = run
    predict(folder)
    assert set(score_diarization.score(folder, "test", settings).values()) == {0.0}


def test_exchanged_speakers_are_counted(run):
    folder, settings = run
    predict(folder, wrong=0.1)
    # In the last second of each recording b speaks and a is heard. 0.25 s around every border (0, change - 1, change,
    # 10) is not scored: that leaves 9.75 - 9 s of it, and of the speech, which overlaps for one second, of all
    # 2 * (10 + 1 - 0.25 - 3 * 0.5 - 0.25) s.
    overlap_in_collars = 0.25 + 0.25  # where two speak at once, a collar removes twice its length
    spoken = 2 * (11 - 0.25 - 2 * 0.5 - 0.25 - overlap_in_collars)
    found = score_diarization.score(folder, "test", settings)
    assert found["diarization/der-collar-0.25"] == pytest.approx(2 * 0.75 / spoken, rel=0.01)
    assert found["diarization/der-collar-0"] == pytest.approx(2 * 1 / (2 * 11), rel=0.01)  # all is scored


def test_the_threshold_is_the_best_of_superbs(run):
    folder, settings = run
    predict(folder, sure=0.45)  # nothing reaches 0.5
    for file in (folder / "scoring" / "predictions").glob("*.h5"):
        with h5py.File(file, "a") as content:
            content["T_hat"][...] = np.where(content["T_hat"][...] < 0.5, 0.45, 0.1)
    found = score_diarization.score(folder, "test", settings)
    assert found["diarization/der-collar-0"] == 0.0
    assert found["diarization/der-collar-0-at-half"] == 1.0


def test_the_median_is_the_better_of_superbs(run):
    folder, settings = run
    predict(folder)
    for file in (folder / "scoring" / "predictions").glob("*.h5"):
        with h5py.File(file, "a") as content:
            content["T_hat"][2:500:5] = 0.0  # frames that a filter over 11 fills in
    # without the filter a fifth of the speech is missed; with it nothing but what is near a border
    assert score_diarization.score(folder, "test", settings)["diarization/der-collar-0"] < 0.01
    predict(folder)
    rttm = Path(settings["downstream_expert"]["loaderrc"]["test_dir"]) / "rttm"
    turns_of_a_tenth = [f"SPEAKER {r} 1 {t} 0.1 <NA> <NA> c <NA> <NA>" for r in ("r1", "r2") for t in range(1, 9)]
    rttm.write_text("\n".join(turns_of_a_tenth) + "\n")
    for file in (folder / "scoring" / "predictions").glob("*.h5"):
        with h5py.File(file, "a") as content:
            content["T_hat"][...] = 0.1
            for second in range(1, 9):
                content["T_hat"][50 * second : 50 * second + 5, 0] = 0.9  # which a filter over 11 takes away
    found = score_diarization.score(folder, "test", settings)
    assert found["diarization/der-collar-0"] == pytest.approx(0, abs=1e-9)
    assert found["diarization/der-collar-0-at-half"] == 1.0


def by_spyder(folder, reference, median, threshold):
    """The rate by an independent scorer, from the predictions and SUPERB's rules."""
    from scipy.signal import medfilt

    hypothesis = {}
    for file in (folder / "scoring" / "predictions").glob("*.h5"):
        with h5py.File(file) as content:
            active = np.where(content["T_hat"][...] > threshold, 1, 0)
        active = medfilt(active, (median, 1)) if median > 1 else active
        hypothesis[file.stem] = [
            (f"{who}", start * FRAME_S, end * FRAME_S)
            for who, frames in enumerate(active.T)
            for start, end in np.flatnonzero(np.diff(np.pad(frames, (1, 1)))).reshape(-1, 2)
        ]
    return spyder.DER(reference, hypothesis, collar=0.0)["Overall"].der


def test_borders_that_are_off_by_a_tenth_of_a_second(tmp_path):
    """Twenty recordings, and 0.12 s of standard deviation: a collar of 0.25 s would hide nearly all."""
    draw = np.random.default_rng(0)
    out, corpus = tmp_path / "out", tmp_path / "corpus"
    (out / "scoring" / "predictions").mkdir(parents=True)
    corpus.mkdir()
    (out / "frame_shift").write_text("320\n")
    rttm, reference = [], {}
    for r in range(20):
        name, times = f"r{r:02d}", (np.arange(1000) + 0.5) * FRAME_S
        probable = np.full((1000, 2), 0.02)
        for who in (0, 1):
            borders = np.sort(draw.choice(np.arange(1, 20), 6, replace=False)).reshape(-1, 2).astype(float)
            for start, end in borders:
                rttm.append(f"SPEAKER {name} 1 {start} {end - start} <NA> <NA> s{who} <NA> <NA>")
                reference.setdefault(name, []).append((f"s{who}", start, end))
                off, late = start + draw.normal(0, 0.12), end + draw.normal(0, 0.12)
                probable[(times > off) & (times < late), who] = draw.uniform(0.35, 0.99)
        with h5py.File(out / "scoring" / "predictions" / f"{name}.h5", "w") as file:
            file["T_hat"] = probable
    (corpus / "rttm").write_text("\n".join(rttm) + "\n")
    (corpus / "reco2dur").write_text("".join(f"r{r:02d} 20.0\n" for r in range(20)))
    found = score_diarization.score(out, "test", {"downstream_expert": {"loaderrc": {"test_dir": str(corpus)}}})
    grid = {
        (median, threshold): by_spyder(out, reference, median, threshold)
        for median in (1, 11)
        for threshold in (0.3, 0.4, 0.5, 0.6, 0.7)
    }
    assert len(set(grid.values())) > 4  # they disagree
    assert found["diarization/der-collar-0"] == pytest.approx(min(grid.values()), abs=1e-6)
    assert found["diarization/der-collar-0-at-half"] == pytest.approx(grid[11, 0.5], abs=1e-6)
    assert found["diarization/der-collar-0.25"] < found["diarization/der-collar-0"] / 5


def test_a_recording_without_predictions_or_of_another_corpus_is_no_score(run):
    folder, settings = run
    predict(folder)
    predictions = folder / "scoring" / "predictions"
    (predictions / "r2.h5").rename(predictions / "r3.h5")
    with pytest.raises(UserError, match=r"recordings of reco2dur are to be scored, and r[23]: .*has (no )?predictions"):
        score_diarization.score(folder, "test", settings)


def test_turns_are_those_of_s3prls_script(tmp_path):
    root = Path(importlib.util.find_spec("s3prl").submodule_search_locations[0])
    probable = np.random.default_rng(0).uniform(size=(700, 2)).cumsum(axis=0) % 1
    with h5py.File(tmp_path / "r1.h5", "w") as file:
        file["T_hat"] = probable
    (tmp_path / "list").write_text(f"{tmp_path / 'r1.h5'}\n")
    script = root / "downstream" / "diarization" / "make_rttm.py"
    options = ["--median=11", "--threshold=0.5", "--frame_shift=320", "--sampling_rate=16000"]
    subprocess.run([sys.executable, script, *options, tmp_path / "list", tmp_path / "rttm"], check=True)
    theirs = score_diarization.read_rttm(tmp_path / "rttm")["r1"]
    ours = turns(score_diarization.smoothed(probable > 0.5, 11), FRAME_S)
    assert [(f"r1_{who}", round(a, 2), round(b, 2)) for who, a, b in ours] == [
        (who, round(a, 2), round(b, 2)) for who, a, b in theirs
    ]
    assert len(ours) > 4


def test_what_is_missing_or_malformed_is_named(run):
    folder, settings = run
    predict(folder)
    rttm = Path(settings["downstream_expert"]["loaderrc"]["test_dir"]) / "rttm"
    rttm.write_text("SPEAKER r1 1 zero 4.0 <NA> <NA> a <NA> <NA>\n")
    with pytest.raises(UserError, match="rttm, line 1"):
        score_diarization.score(folder, "test", settings)
    rttm.unlink()
    with pytest.raises(UserError, match="rttm: no such file"):
        score_diarization.score(folder, "test", settings)
