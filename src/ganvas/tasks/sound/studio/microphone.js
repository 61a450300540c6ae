// A recording from the microphone, or of a format that only the browser can decode, as a WAV file.

const FOREIGN = /\.(webm|weba|mkv|m4a|m4b|mp4|mov|3gp|aac|caf)$/i; // Ganvas reads none of these
const LARGEST = 10_000_000; // bytes of them that are decoded

/** Samples in -1 to 1 as a WAV file of 16 bits. */
export function wavOf(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((x, i) => view.setInt16(44 + 2 * i, Math.round(Math.max(-1, Math.min(1, x)) * 32_767), true));
  return new Blob([view], { type: 'audio/wav' });
}

/** A file as Ganvas reads it: of a format that only browsers know, what the browser decodes; else as it is. */
export async function readable(file) {
  if (!FOREIGN.test(file.name ?? '') || file.size > LARGEST) return file;
  const audio = new AudioContext();
  try {
    const sound = await audio.decodeAudioData(await file.arrayBuffer()),
      channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
    const mixed = channels[0].map((_, i) => channels.reduce((sum, one) => sum + one[i], 0) / channels.length);
    return wavOf(mixed, sound.sampleRate);
  } catch {
    return file; // the server says what it is
  } finally {
    audio.close();
  }
}

/** Why there can be no recording here; '': there can. */
export function whyNot() {
  if (navigator.mediaDevices?.getUserMedia && window.AudioWorkletNode) return '';
  return isSecureContext
    ? 'This browser cannot record: choose a file instead.'
    : 'Browsers allow the microphone only on pages served over https or from this machine (localhost): open the studio in one of these ways, or choose a file instead.';
}

const REASONS = {
  NotAllowedError: 'This page may not use the microphone: allow it in the browser’s address bar, or choose a file instead.',
  NotFoundError: 'There is no microphone: connect one, or choose a file instead.',
  NotReadableError: 'The microphone cannot be opened: another program may be using it.',
};

/**
 * Begin to record.
 * @param heard is called with each part: its loudest sample, and the seconds until now
 * @returns a function that ends it and gives a WAV file; null where nothing has come yet
 */
export async function record(heard) {
  const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The microphone cannot be opened (${error.name}).`);
  }
  const audio = new AudioContext(),
    parts = [];
  const end = () => {
    stream.getTracks().forEach((track) => track.stop()); // or the browser would show that it listens
    audio.close();
  };
  try {
    await audio.audioWorklet.addModule('/static/tasks/sound/worklet.js');
    const listener = new AudioWorkletNode(audio, 'listener');
    listener.port.onmessage = ({ data }) => {
      parts.push(data);
      const loudest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      heard(loudest, (parts.length * data.length) / audio.sampleRate);
    };
    audio.createMediaStreamSource(stream).connect(listener).connect(audio.destination); // which gets silence of it
    await audio.resume();
  } catch (error) {
    end();
    throw new Error(`This browser cannot record (${error.name}): choose a file instead.`);
  }
  return () => {
    const rate = audio.sampleRate;
    end();
    const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => {
      samples.set(part, at);
      return at + part.length;
    }, 0);
    return samples.length ? wavOf(samples, rate) : null;
  };
}
