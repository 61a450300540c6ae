// In the browser's audio thread: hands over what the microphone hears, some milliseconds at a time.
const SIZE = 2048; // samples handed over at once

class Listener extends AudioWorkletProcessor {
  constructor() {
    super();
    this.part = new Float32Array(SIZE);
    this.count = 0;
  }

  process([[channel]]) {
    if (!channel) return true; // the microphone has not begun
    this.part.set(channel, this.count); // 128 samples, which divide SIZE
    this.count += channel.length;
    if (this.count === SIZE) {
      this.port.postMessage(this.part);
      this.count = 0;
    }
    return true;
  }
}
registerProcessor('listener', Listener);
