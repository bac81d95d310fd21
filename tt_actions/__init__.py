"""Recognise technical actions in racket sports from video."""
