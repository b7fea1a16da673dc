"""The musician's engine: modules, tempo, automation, offline rendering, metrics, patterns.

``import shared.audio`` and its parts load numpy and nothing heavier; scipy comes in when a
filter or a loudness measurement first needs it.
"""
