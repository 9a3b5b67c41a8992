"""Synth-by-Reg: translate a section so that a frozen network registers it well.

Casamitjana, Mancini & Iglesias 2021, "Synth-by-Reg (SbR): Contrastive learning for synthesis-based
registration of paired images", doi:10.1007/978-3-030-87592-3_5.
"""
