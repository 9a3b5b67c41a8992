from __future__ import annotations

import cv2
import pytest

from stainbridge.slides.writing.opencv_threads import single_threaded_opencv


def test_overlapping_holders_give_back_what_was_there() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        first, second = single_threaded_opencv(), single_threaded_opencv()
        first.__enter__()
        second.__enter__()
        assert cv2.getNumThreads() == 1
        first.__exit__(None, None, None)
        assert cv2.getNumThreads() == 1
        second.__exit__(None, None, None)
        assert cv2.getNumThreads() == 3
        with pytest.raises(KeyError), single_threaded_opencv():
            raise KeyError
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
