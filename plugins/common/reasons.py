"""Another library's exception in one line: what it says, and where it was raised."""

from __future__ import annotations

from pathlib import Path


def reason_of(error: BaseException) -> str:
    """Return an exception's type, text and place in a line; of one without a text, those of what caused it."""
    cause = error
    while not str(cause).strip() and (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    trace = cause.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"; {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    lines = str(cause).strip().splitlines()
    text = lines[-1] if "Original Traceback" in str(cause) else " ".join(lines)  # a data loader's worker
    return f"{type(cause).__name__}: {' '.join(text.split())[:300]}{place}"
