from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stainbridge.errors import InputError, MissingFileError
from stainbridge.jobs.files.outputs import Inputs, check_output_file, check_output_folder


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "he.svs"
    path.write_text("slide")
    return path


def test_a_new_file_beside_the_inputs_is_fine(slide: Path) -> None:
    check_output_file(slide.with_name("new.csv"), Inputs(files=(slide,)), overwrite=False)


def test_a_file_that_is_no_input_is_replaced_only_when_asked(slide: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"he\.svs: exists already.*--overwrite"):
        check_output_file(slide, Inputs(), overwrite=False)
    check_output_file(slide, Inputs(files=(tmp_path / "other",)), overwrite=True)


def test_an_input_is_never_replaced_by_another_name(slide: Path, tmp_path: Path) -> None:
    os.link(slide, tmp_path / "hard.svs")
    (tmp_path / "soft.svs").symlink_to(slide)
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("hard.svs", "soft.svs", "folder/he.svs", "sub/../he.svs"):
        with pytest.raises(InputError, match="would replace the input"):
            check_output_file(tmp_path / name, Inputs(files=(slide,)), overwrite=True)


def test_the_data_folder_of_an_mrxs_slide_is_part_of_it(tmp_path: Path) -> None:
    slide = tmp_path / "a.mrxs"
    slide.write_text("")
    (tmp_path / "a").mkdir()
    inputs = Inputs(files=(slide,))
    with pytest.raises(InputError, match="would replace the input"):
        check_output_file(tmp_path / "a" / "new.csv", inputs, overwrite=True)
    with pytest.raises(InputError, match="would replace the input"):
        check_output_folder(tmp_path / "a", inputs)


def test_files_beside_a_slide_that_are_parts_of_it_are_not_replaced(tmp_path: Path) -> None:
    for slide, part in (("0.dcm", "1.dcm"), ("a.vms", "a-0-0.jpg"), ("a.vms", "a.OPT")):
        for name in (slide, part):
            (tmp_path / name).write_text("")
        with pytest.raises(InputError, match="would replace the input"):
            check_output_file(tmp_path / part, Inputs(files=(tmp_path / slide,)), overwrite=True)


def test_dicom_files_beside_a_dicom_slide_are_parts_of_it_whatever_their_names(
    tmp_path: Path,
) -> None:
    for name in ("IM0", "IM1", "sub/IM2"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(128) + b"DICM")
    (tmp_path / "other").write_bytes(bytes(200))
    inputs = Inputs(files=(tmp_path / "IM0",))
    with pytest.raises(InputError, match="would replace"):
        check_output_file(tmp_path / "IM1", inputs, overwrite=True)
    check_output_file(tmp_path / "sub" / "IM2", inputs, overwrite=True)
    check_output_file(tmp_path / "other", inputs, overwrite=True)
    check_output_file(tmp_path / "IM3", inputs, overwrite=False)


def test_parts_of_a_result_are_never_replaced_even_those_it_lacks(tmp_path: Path) -> None:
    inputs = Inputs(results=(tmp_path,))
    for name in ("registration.json", "transform.h5", "report.html"):
        with pytest.raises(InputError, match="would replace"):
            check_output_file(tmp_path / name, inputs, overwrite=True)
    check_output_file(tmp_path / "warped.ome.tiff", inputs, overwrite=False)
    check_output_file(tmp_path / "points.csv", inputs, overwrite=False)
    (tmp_path / "warped.ome.tiff").write_text("")
    with pytest.raises(InputError, match="would replace"):
        check_output_file(tmp_path / "warped.ome.tiff", inputs, overwrite=True)


def test_data_are_never_replaced_but_new_names_may_stand_beside_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "1.png").write_text("")
    inputs = Inputs(data_folders=(data,))
    with pytest.raises(InputError, match="would replace"):
        check_output_folder(data, inputs, ["1.png"])
    check_output_folder(data, inputs, ["2.png"])
    check_output_folder(data / "run", inputs)
    check_output_folder(tmp_path, inputs, ["other"])
    with pytest.raises(InputError, match="would replace"):
        check_output_folder(tmp_path, inputs, ["data"])


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        check_output_file(tmp_path / "no" / "x.csv", Inputs(), overwrite=False)


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stderr", "/dev/fd/1"])
def test_devices_are_refused(name: str) -> None:
    for overwrite in (False, True):
        with pytest.raises(InputError, match="not a regular file"):
            check_output_file(Path(name), Inputs(), overwrite=overwrite)
    with pytest.raises(InputError, match="not a regular file"):
        check_output_folder(Path(name), Inputs())


def test_a_loop_of_links_is_no_crash(slide: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="exists already"):
        check_output_file(tmp_path / "loop", Inputs(files=(slide,)), overwrite=False)


def test_a_zarr_is_replaced_as_a_file_is_and_other_folders_never(tmp_path: Path) -> None:
    out = tmp_path / "a.zarr"
    check_output_file(out, Inputs(), overwrite=False, may_be_zarr=True)
    out.mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_output_file(out, Inputs(), overwrite=True, may_be_zarr=True)
    (out / "zarr.json").write_text("{}")
    with pytest.raises(InputError, match="exists already"):
        check_output_file(out, Inputs(), overwrite=False, may_be_zarr=True)
    check_output_file(out, Inputs(), overwrite=True, may_be_zarr=True)
    with pytest.raises(InputError, match="is a folder"):
        check_output_file(out, Inputs(), overwrite=True)


def test_a_zarr_that_is_an_input_or_holds_one_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "a.zarr"
    (out / "result").mkdir(parents=True)
    (out / "zarr.json").write_text("{}")
    (out / "points.csv").write_text("")
    (tmp_path / "link.zarr").symlink_to(out)
    for inputs in (
        Inputs(files=(out,)),
        Inputs(files=(out / "points.csv",)),
        Inputs(results=(out / "result",)),
        Inputs(data_folders=(out,)),
    ):
        (out / "result" / "transform.h5").write_text("")
        with pytest.raises(InputError, match="would replace the input"):
            check_output_file(out, inputs, overwrite=True, may_be_zarr=True)
    with pytest.raises(InputError, match="would replace the input"):
        check_output_file(
            tmp_path / "link.zarr", Inputs(files=(out,)), overwrite=True, may_be_zarr=True
        )


SET_XML = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {uuid}>'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="8" '
    'SizeY="8" SizeC="2" SizeZ="1" SizeT="1">'
    '<Channel ID="Channel:0:0" SamplesPerPixel="1"/><Channel ID="Channel:0:1" SamplesPerPixel="1"/>'
    '<TiffData IFD="0" FirstC="0" PlaneCount="1"><UUID FileName="{0}">urn:uuid:0</UUID></TiffData>'
    '<TiffData IFD="0" FirstC="1" PlaneCount="1"><UUID FileName="{1}">urn:uuid:1</UUID></TiffData>'
    "</Pixels></Image></OME>"
)


def write_set(folder: Path, names: tuple[str, str], companion: str | None) -> None:
    """Write an OME-TIFF of two files, which describe the set or name its companion file."""
    full = [SET_XML.format(*names, uuid=f'UUID="urn:uuid:{i}"') for i in (0, 1)]
    for i, name in enumerate(names):
        xml = full[i]
        if companion is not None:
            xml = (
                '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
                f'UUID="urn:uuid:{i}"><BinaryOnly MetadataFile="{companion}" '
                'UUID="urn:uuid:9"/></OME>'
            )
        tifffile.imwrite(
            folder / name, np.zeros((8, 8), np.uint8), description=xml.encode(), metadata=None
        )
    if companion is not None:
        (folder / companion).write_text(SET_XML.format(*names, uuid='UUID="urn:uuid:9"'))


@pytest.mark.parametrize("companion", [None, "set.companion.ome"])
@pytest.mark.parametrize("names", [("c0.ome.tif", "c1.ome.tif"), ("a b.tiff", "ü.tiff")])
def test_no_file_of_an_ome_set_is_replaced(
    tmp_path: Path, names: tuple[str, str], companion: str | None
) -> None:
    write_set(tmp_path, names, companion)
    (tmp_path / "other.tif").write_bytes(b"")
    inputs = Inputs(files=(tmp_path / names[0],))
    for part in (*names, companion):
        if part is not None:
            with pytest.raises(InputError, match="would replace the input"):
                check_output_file(tmp_path / part, inputs, overwrite=True)
    check_output_file(tmp_path / "other.tif", inputs, overwrite=True)
    check_output_file(tmp_path / "new.tif", inputs, overwrite=True)
