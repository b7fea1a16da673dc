"""A tracker pattern or MIDI file in; master, stems, loudness rows, automation log and picture out."""
