"""Timelines and cuts on their way to other programs and back: OpenTimelineIO, EDL, FCPXML."""
