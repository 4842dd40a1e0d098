"""Frames in, Plotly figures out. Every chart says in words what it shows."""

from core.charts.parts import Chart

__all__ = ["Chart"]
