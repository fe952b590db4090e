"""Batches read ahead of the training step, so that it never waits for audio."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from s3prl_plugin.pretraining.data.batches import DurationBatches
from s3prl_plugin.pretraining.data.utterances import Example, Speech, TrainingBatch, collate


class ReadAhead:
    """The batches of an epoch, decoded by threads while the batch before them is trained on.

    Threads, since decoding and resampling release Python's lock; what comes out is the same with any number of them.

    Args:
        speech: what to read.
        batches: which utterances belong together.
        threads: that read; 0 reads in the caller's when a batch is asked for.
        ahead: so many batches at most wait to be taken.

    Attributes:
        waited_s: how long the caller has waited for batches, over all epochs.
        duration_s: how much audio it has got.
    """

    def __init__(self, speech: Speech, batches: DurationBatches, threads: int = 1, ahead: int = 4):
        self.speech, self.batches = speech, batches
        self.threads, self.ahead = threads, ahead
        self.waited_s = self.duration_s = 0.0

    def __len__(self) -> int:
        """The batches of a whole epoch."""
        return len(self.batches)

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Read this epoch from now on, without its first `position` batches."""
        self.speech.set_epoch(epoch)
        self.batches.set_epoch(epoch, position)

    def __iter__(self) -> Iterator[TrainingBatch]:
        """The batches of the epoch, from the position on.

        Raises:
            UserError: a file cannot be read.
        """
        source = self._read_ahead() if self.threads else (self._read(each) for each in self.batches)
        while True:
            began_s = time.perf_counter()
            batch = next(source, None)
            self.waited_s += time.perf_counter() - began_s
            if batch is None:
                return
            self.duration_s += batch.duration_s
            yield batch

    def _read_ahead(self) -> Iterator[TrainingBatch]:
        """The same, with the next batches' utterances under way."""
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="read-ahead")
        under_way: deque[list[Future[Example]]] = deque()
        try:
            for indices in self.batches:
                under_way.append([pool.submit(self.speech.__getitem__, i) for i in indices])
                if len(under_way) > self.ahead:
                    yield collate([each.result() for each in under_way.popleft()])
            while under_way:
                yield collate([each.result() for each in under_way.popleft()])
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, indices: list[int]) -> TrainingBatch:
        return collate([self.speech[i] for i in indices])
