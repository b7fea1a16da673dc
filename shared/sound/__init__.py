"""How sound is heard and measured, once for all steps: onsets, beats, pitch, speech and music, loudness."""
