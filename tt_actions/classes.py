"""The closed lists of strokes, with their source."""

STROKES = ("serve", "forehand", "backhand", "smash")
"""The four technical actions of the published CNN-LSTM, in its order."""

IDLE = "idle"
"""The frame label between strokes on untrimmed video."""
