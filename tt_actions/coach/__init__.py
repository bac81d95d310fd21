"""Coaching: compares the joints of a stroke with reference strokes and says what to correct."""
