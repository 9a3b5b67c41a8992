"""A landmark placed 50 px off, mended, and the slides registered anew: all of it in the browser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from tests.viewer.browser.conftest import IS_READY, open_page, wait_until
from tests.viewer.conftest import Result

from stainbridge.geometry.transform import Affine
from stainbridge.jobs.files.outputs import RESULT_FILES
from stainbridge.jobs.view_trial import run_trial
from stainbridge.registration.store import load
from stainbridge.viewer.session import Session
from stainbridge.viewer.sources import ResultSource


@pytest.mark.slow
def test_a_wrong_result_is_mended_from_landmarks(browser: Browser, own_result: Result) -> None:
    right = own_result.registration
    shift = Affine(
        np.array([[1, 0, 200.0], [0, 1, 0], [0, 0, 1]]), right.fixed.space, right.fixed.space
    )
    wrong = replace(right, solution=shift.then(right.transform))
    wrong.save(own_result.folder, own_result.fixed, own_result.moving)
    fixed = np.array([[220.0, 260], [450, 250], [430, 460], [250, 470], [340, 350]])
    moving = right.warp_points(fixed, to="moving")
    session = Session("result", (ResultSource("result", (own_result.folder,)),))
    with open_page(browser, session, run_trial=run_trial, result_files=RESULT_FILES) as page:
        wait_until(page, IS_READY)
        pairs = [
            {"fixed": one, "moving": other}
            for one, other in zip(fixed.tolist(), moving.tolist(), strict=True)
        ]
        page.keyboard.press("t")
        page.evaluate("pairs => stainbridge.correct.store(pairs)", pairs)
        assert page.evaluate("stainbridge.correct.reply.median_um") == pytest.approx(200, abs=5)
        page.locator("#preset").select_option("fast")
        page.locator("#register").click()
        wait_until(page, "stainbridge.correct.trial.state !== 'running'", 240)
        assert page.evaluate("stainbridge.correct.trial.reason") == ""
        expect(page.locator("#keep-new")).to_be_visible(timeout=30_000)
        # The errors under the new result come with the reply after the one that ends the trial.
        wait_until(page, "stainbridge.correct.reply.candidate_median_um != null")
        assert page.evaluate("stainbridge.correct.reply.candidate_median_um") < 40
        page.locator("#show-old").click()
        page.locator("#show-new").click()
        page.locator("#keep-new").click()
        wait_until(
            page, "stainbridge.layers.length === 2 && stainbridge.correct.reply.median_um < 40"
        )
    found = load(own_result.folder).warp_points(fixed, to="moving")
    assert np.median(np.hypot(*(found - moving).T)) < 10
    assert (own_result.folder / "replaced" / "1" / "transform.h5").is_file()
