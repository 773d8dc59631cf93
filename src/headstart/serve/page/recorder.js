// Hands on what the microphone gives, a block at a time.
class Recorder extends AudioWorkletProcessor {
  process(inputs) {
    const channels = inputs[0];
    if (channels.length > 0) {
      const samples = new Float32Array(channels[0].length);
      for (const channel of channels) {
        for (let i = 0; i < samples.length; i += 1) samples[i] += channel[i] / channels.length;
      }
      this.port.postMessage(samples, [samples.buffer]);
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
