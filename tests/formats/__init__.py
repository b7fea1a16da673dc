"""Container by codec by oddity: files made here, read by the engines, judged by other tools.

truth.py      the signals and pictures that go into the files, as arrays
sounds.py     the combinations of sound, and how each file is made
pictures.py   those of moving and still pictures
judging.py    what ffprobe, libsndfile, pyloudnorm and mutagen say, against what the engines say
page.py       docs/formats.md

``python -m tests.formats`` (or ``make formats``) runs all of them and writes the page.
"""
