"""same_rows.py A B: whether two runs of the same found the same numbers, to 1e-6; A may have more rows."""

import sys

from s3prl_plugin import results

first, second = ({row.identity: row for row in results.read(folder)} for folder in sys.argv[1:3])
assert second
assert second.keys() <= first.keys(), f"{len(second.keys() - first.keys())} rows are of B alone"
apart = 0.0
for identity, row in second.items():
    other = first[identity]
    assert (row.value is None) == (other.value is None), identity
    if row.value is not None:
        assert abs(row.value - other.value) < 1e-6, (identity, row.value, other.value)
        apart = max(apart, abs(row.value - other.value))
print(f"{len(second)} rows, at most {apart:.1e} apart")
print(f"  {sys.argv[1]}: s3prl {next(iter(first.values())).versions['s3prl']}")
print(f"  {sys.argv[2]}: s3prl {next(iter(second.values())).versions['s3prl']}")
