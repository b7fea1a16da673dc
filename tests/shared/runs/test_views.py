"""What is listed, and in which order."""

from __future__ import annotations

from shared.contracts.upload import Upload
from shared.homes.home import Home
from shared.runs.records import open_upload_run
from shared.runs.views import list_runs, newest_runs
from tests.toy import CTX


def test_runs_of_one_instant_have_one_order_however_they_are_asked_for(home: Home) -> None:
    documents = home.documents
    for number, at in enumerate((1.0, 2.0, 2.0, 2.0, 3.0)):
        upload = Upload(CTX, "rushes-local", f"{CTX.object_prefix}uploads/{number}.wav", 1)
        open_upload_run(documents, upload, f"{number}.wav", at=at)
    listed = list_runs(documents, CTX)
    assert [run.created_at for run in listed] == [3.0, 2.0, 2.0, 2.0, 1.0]
    assert list(newest_runs(documents, CTX, limit=9, after=None)) == listed
