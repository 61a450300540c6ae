"""Restoring sounds: the noise, the networks, recordings of any length, rate and channels, figures, what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import quick, write_sounds
from torch import Tensor

from ganvas.core import model as models
from ganvas.core.applied import Applied, Failed
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.export import onnx as exporting
from ganvas.sounds import decode
from ganvas.tasks.restore_sound import classical, evaluate, fidelity, files, network, noise, noises
from ganvas.tasks.restore_sound import model as restoring
from ganvas.tasks.restore_sound.data import WaveSpec, window_for
from ganvas.tasks.restore_sound.model import SoundRestorer
from ganvas.training.events import Evaluated, Logged

RATE, SIZE = 8_000, 256
NET = network.Config(width=16, blocks=2, d_width=8)


def tones(count: int = 4, seconds: float = 0.5) -> Tensor:
    """Tones of unlike pitch between pauses, float [count, n]."""
    time = torch.arange(round(seconds * RATE)) / RATE
    hertz = 200 + 60 * torch.arange(count)[:, None]
    shape = (torch.sin(2 * torch.pi * 2 * time / seconds).clamp_min(0)) ** 0.5
    return 0.4 * shape * (torch.sin(2 * torch.pi * hertz * time) + 0.5 * torch.sin(4 * torch.pi * hertz * time))


def generator(seed: int = 0) -> network.Generator:
    torch.manual_seed(seed)
    return network.Generator(WaveSpec.of(RATE, 4_096, window=SIZE), NET).eval()


# ---- the noise


def ratio(clean: Tensor, noisy: Tensor) -> Tensor:
    """The SNR in dB where the sound is to be heard."""
    return 20 * (noise.loudness(clean)[:, 0] / (noisy - clean).square().mean(1).sqrt()).log10()


def test_each_noise_has_a_function() -> None:
    assert tuple(noise.KINDS) == noises.NAMES


@pytest.mark.parametrize("kind", noise.KINDS)
def test_noise_is_as_loud_as_asked_for_and_follows_from_its_own_row(kind: str) -> None:
    clean, numbers = tones(), torch.rand(4, 2, generator=torch.Generator().manual_seed(0))
    noisy = noise.added(noises.parse(f"{kind}:6"), clean, RATE, numbers)
    assert ratio(clean, noisy).tolist() == pytest.approx([6] * 4, abs=0.01)
    assert torch.equal(noise.added(noises.parse(f"{kind}:6"), clean[2:3], RATE, numbers[2:3]), noisy[2:3])
    softer = ratio(clean, noise.added(noises.parse(f"{kind}:3-9"), clean, RATE, numbers))
    assert ((softer >= 3) & (softer <= 9)).all()
    assert softer.std() > 0.1


def test_pink_noise_falls_by_three_decibels_an_octave_and_a_hum_has_the_tones_of_the_mains() -> None:
    random = torch.Generator().manual_seed(1)
    power = torch.fft.rfft(noise.pink(2**16, RATE, random)).abs().square()
    octaves = torch.stack([power[2**i : 2 ** (i + 1)].sum() for i in range(9, 14)])
    assert (octaves / octaves.mean()).tolist() == pytest.approx([1] * 5, abs=0.15)
    power = torch.fft.rfft(noise.hum(RATE, RATE, random)).abs().square()
    assert min(abs(float(power.argmax()) / mains - round(float(power.argmax()) / mains)) for mains in (50, 60)) < 0.15
    assert power[1_500:].sum() < 1e-3 * power.sum()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty part"),
        ("noise:0-20,", "empty part"),
        ("nois:3", "noise"),
        ("white:a", "SNR in dB"),
        ("white:-3", "SNR in dB"),
        ("white:9-3", "white:3-9"),
        ("hum:99", "60 dB"),
    ],
)
def test_a_noise_that_is_none_is_refused_with_the_way_out(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        noises.parse(text)
    assert noises.parse("white, hum:3") == (noises.Step("white", *noises.USUAL), noises.Step("hum", 3, 3))


def test_sounds_are_moved_and_pauses_come_in() -> None:
    clean = tones(64)
    moved = noise.placed(clean, RATE, torch.rand(64, 2, generator=torch.Generator().manual_seed(0)))
    kept = (moved == clean).all(1)
    assert 16 < int(kept.sum()) < 48
    assert (moved.square().sum(1) <= clean.square().sum(1) * 1.0001).all()
    assert torch.equal(noise.placed(clean[:1], RATE, torch.tensor([[0.0, 0.75]]))[0, 1_000:], clean[0, :-1_000])
    cut = noise.placed(clean[:3], 1_000, torch.tensor([[0, 0], [0, 0.5], [0, 0.9999]]))
    assert cut.shape == (3, 1_000)
    assert torch.equal(cut[0, 250:], clean[0, :750])
    assert torch.equal(cut[1], clean[1, 1_500:2_500])
    assert torch.equal(cut[2, :740], clean[2, -751:-11])


# ---- the networks


def test_spectra_are_those_of_torch_and_come_back() -> None:
    waves = torch.randn(2, 1_003, generator=torch.Generator().manual_seed(0))
    parts = network.spectra(waves, SIZE)
    assert (network.waves_of(parts, SIZE, 1_003) - waves).abs().max() < 1e-5
    padded, window = torch.nn.functional.pad(waves, (192, 192 + 21)), torch.hann_window(SIZE)
    wanted = torch.stft(padded, SIZE, 64, window=window, center=False, return_complex=True)
    real, imaginary = (part * SIZE / 4 for part in parts.chunk(2, 1))
    assert (torch.complex(real, imaginary) - wanted).abs().max() < 1e-3


def test_a_sound_is_restored_alike_at_any_loudness_and_in_any_batch() -> None:
    net, waves = generator(), tones()
    made = net(waves)
    assert made.shape == waves.shape
    assert torch.allclose(net(waves / 100) * 100, made, atol=1e-4)
    assert torch.allclose(net(waves[1:2]), made[1:2], atol=1e-5)
    assert (net(torch.zeros(1, 500)) == 0).all()


def test_gains_of_one_leave_a_sound_as_it_is() -> None:
    net, waves = generator(), tones()
    torch.nn.init.zeros_(net.head.weight)
    net.head.bias.data.fill_(30.0)  # pyright: ignore[reportOptionalMemberAccess]
    assert (net(waves) - waves).abs().max() < 1e-5


def restorer(net: network.Generator) -> SoundRestorer:
    return SoundRestorer(Path("x"), net, torch.nn.Identity(), WaveSpec.of(RATE, 4_096, window=SIZE), {})


def test_long_recordings_are_restored_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    model, waves = restorer(generator()), torch.randn(2, 30_001, generator=torch.Generator().manual_seed(0)) / 9
    for weight in model.generator.parameters():
        weight.data.mul_(2)
    whole = model.generator(waves)
    monkeypatch.setattr(restoring, "PART", 0.5)
    assert (model.restore(waves) - whole).abs().max() < 1e-5
    monkeypatch.setattr(network.Generator, "reach", 64)
    assert (model.restore(waves) - whole).abs().max() > 1e-4  # with less around a part there would be seams
    assert model.restore(torch.zeros(1, 0)).shape == (1, 0)


def test_waves_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match="not numbers"):
        restorer(generator()).restore(torch.tensor([[0.0, torch.nan]]))
    with pytest.raises(UserError, match=r"\[B, n\]"):
        restorer(generator()).restore(torch.zeros(5))


# ---- figures and classical methods


def test_figures_of_known_sounds() -> None:
    clean = tones()
    noisy = (
        clean + torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * clean.std(1, keepdim=True) / 10
    )
    assert fidelity.sdr(noisy, clean).tolist() == pytest.approx([20] * 4, abs=0.3)
    assert torch.allclose(fidelity.sdr(noisy * 7, clean), fidelity.sdr(noisy, clean), atol=1e-3)
    assert (fidelity.sdr(clean, clean) == fidelity.MOST).all()
    halved = fidelity.spectral_distance(clean / 2, clean, SIZE)
    assert ((halved > 1) & (halved <= 6.03)).all()  # 6 dB where it is not below the floor
    nearer = (clean + noisy) / 2
    far, near, best = (float(fidelity.loss(x, clean, SIZE)) for x in (noisy, nearer, clean))
    assert best < near < far
    assert torch.isfinite(fidelity.loss(noisy, torch.zeros_like(clean), SIZE))


@pytest.mark.parametrize("kind", classical.METHODS)
def test_classical_methods_take_noise_out(kind: str) -> None:
    clean = tones(3, 1)
    noisy = noise.added(noises.parse("white:5"), clean, RATE, torch.rand(3, 2))
    before, settings = fidelity.sdr(noisy, clean), classical.METHODS[kind]
    best = max(float((fidelity.sdr(s.apply(noisy, SIZE), clean) - before).mean()) for s in settings[::4])
    told = max(
        float((fidelity.sdr(s.apply(noisy, SIZE, known=noisy - clean), clean) - before).mean()) for s in settings[:6]
    )
    assert best > 3
    assert told > 3


def test_the_window_follows_the_rate() -> None:
    assert [window_for(rate) for rate in (4_000, 8_000, 16_000, 22_050, 48_000)] == [128, 256, 512, 512, 2048]


# ---- a training, and what is done with its model


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with a discriminator."""
    place = tmp_path_factory.mktemp("restore")
    experiment = quick("denoise-sound", place / "x", steps=30)
    task = dataclasses.replace(experiment.task, lively=0.01)
    events = list(dataclasses.replace(experiment, task=task).run(place / "run"))
    checks = [e for e in events if isinstance(e, Evaluated)]
    assert any("SDR" in str(e) or "sdr" in str(e) for e in checks)
    assert any(isinstance(e, Logged) for e in events)
    return place / "run"


def test_a_training_learns_and_tells(run: Path) -> None:
    checks = [row for row in Run(run).rows(Run(run).metrics) if row["metric"] == "fidelity"]
    assert checks[-1]["lsd"] < checks[0]["lsd"]
    assert {"sdr", "loss_distance", "loss_d"} <= Run(run).rows()[-1].keys()
    page = (run / "report.html").read_text()
    assert "From noisy to restored" in page
    assert "<audio" in page
    model = models.load(run)
    assert isinstance(model, SoundRestorer)
    assert "noise:0-20" in " ".join(model.facts().values())


def test_recordings_of_any_kind_are_restored(run: Path, tmp_path: Path) -> None:
    place, random = tmp_path / "in", np.random.default_rng(0)
    place.mkdir()
    stereo = random.normal(size=(22_050, 2)).astype(np.float32) / 20
    soundfile.write(place / "a.flac", stereo, 22_050)
    soundfile.write(place / "b.mp3", stereo, 44_100)
    soundfile.write(place / "b.wav", stereo[:9, :1], 8_000)
    soundfile.write(place / "six.wav", np.repeat(stereo[:4_000, :1], 6, 1), 8_000)
    (place / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    events = list(files.restore(run, [place], tmp_path / "out"))
    told = {e.path.name: " ".join(e.warnings) for e in events if isinstance(e, Applied)}
    assert told.keys() == {"a.flac", "b.mp3.wav", "b.wav", "six.wav"}
    assert "nothing above 4 kHz is left" in told["a.flac"]
    assert "another recording's name" in told["b.mp3.wav"]
    assert "6 channels are mixed down" in told["six.wav"]
    assert told["b.wav"] == ""
    assert [str(place / "broken.wav") in e.why for e in events if isinstance(e, Failed)] == [True]
    for name, shape in {"a.flac": (22_050, 2), "b.wav": (9, 1), "six.wav": (4_000, 1)}.items():
        made, rate = soundfile.read(tmp_path / "out" / name, always_2d=True)
        assert made.shape == shape
        assert rate == soundfile.info(place / name).samplerate
    assert decode.read((tmp_path / "out" / "b.wav").read_bytes()).coding == "16 bits"
    with pytest.raises(UserError, match="already"):
        list(files.restore(run, [place], tmp_path / "out"))
    with pytest.raises(UserError, match="recordings themselves"):
        list(files.restore(run, [place / "b.wav"], place, force=True))
    again = list(files.restore(run, [place / "a.flac"], tmp_path / "wav", form="wav"))
    assert [e.path.name for e in again if isinstance(e, Applied)] == ["a.wav"]
    one, other = (soundfile.read(tmp_path / place)[0] for place in ("wav/a.wav", "out/a.flac"))
    assert np.array_equal(one, other)


def test_an_evaluation_sets_it_beside_classical_methods(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical, "METHODS", {kind: found[:2] for kind, found in classical.METHODS.items()})
    events = list(evaluate.evaluate(run, out=tmp_path))
    answers = [e for e in events if isinstance(e, evaluate.Answer)]
    assert answers[0].name == "clean"
    assert [a.ratio for a in answers if a.name == "as it is"] == [0, 5, 10]
    assert len(answers) == 1 + 3 * (1 + 4 + 1)
    noisy = next(a for a in answers if a.name == "as it is" and a.ratio == 10)
    assert noisy.sdr == pytest.approx(10, abs=3.5)
    assert {p.name for p in tmp_path.iterdir()} == {"restored.png", "restored.wav"}
    kept = models.load(run)
    assert len(kept.figures()) == len(answers)
    assert "Spectral distance, dB" in (run / "report.html").read_text()
    other = write_sounds(tmp_path / "others", 4)
    assert any(isinstance(e, evaluate.Answer) for e in evaluate.evaluate(run, data=other, out=tmp_path / "again"))


def test_after_restoring_a_training_goes_on() -> None:
    network.tables.cache_clear()
    net = generator()
    restorer(net).restore(tones())
    net.train()(tones()).square().mean().backward()
    assert net.head.weight.grad is not None


def test_the_export_restores_as_the_model_does(run: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network.tables.cache_clear()
    exporting.export(models.load(run), tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx", providers=["CPUExecutionProvider"])
    model, waves = models.load(run), tones(2, 0.4) / 5
    made = session.run(None, {"waves": waves.numpy()})[0]
    assert np.abs(made - model.restore(waves).numpy()).max() < 1e-4


def test_other_tasks_say_what_it_is_for(run: Path) -> None:
    from ganvas.tasks.sound.model import load

    with pytest.raises(UserError, match="ganvas restore MODEL"):
        load(run)
