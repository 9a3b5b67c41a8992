"""The model card of a run."""

from __future__ import annotations

from stainbridge.translation.training.config import TranslationTraining
from stainbridge.translation.training.model_card import render_model_card

ROWS = [
    {"step": "0", "validation_coarse_l1": "0.5", "validation_psnr_db": "9"},
    {"step": "20", "validation_coarse_l1": "0.1", "validation_psnr_db": "21.5"},
    {"step": "30", "validation_coarse_l1": "", "validation_psnr_db": ""},
    {"step": "40", "validation_coarse_l1": "0.2", "validation_psnr_db": "18"},
]


def test_a_card_shows_the_best_row_and_the_perceptual_network() -> None:
    settings = TranslationTraining.preset("pix2pix", "small")
    card = render_model_card(settings, "tiles", ROWS, "1.2")
    assert "after 20 steps" in card
    assert "| PSNR, dB | 21.5 |" in card
    assert "No ImageNet weights" not in card
    fallback = render_model_card(
        TranslationTraining.preset("cyclegan-perceptual", "small"), "tiles", [], "1.2"
    )
    assert "**No ImageNet weights were given**" in fallback
    assert "| perceptual network | seeded-" in fallback
    assert "Nothing has been measured yet." in fallback
