"""What an edit list leaves of a recording's sound, with joins that nobody hears.

edit list -> stretches and seams, in samples -> one pass over the recording:
    kept              into their places at once
    sped up           gathered, stretched together by their speed, put into their places
    muted, bleeped    filled behind it: with room tone found on the way, or a tone
seams: crossfades where two stretches meet
"""
