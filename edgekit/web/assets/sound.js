// Sounds as the model hears them: one channel, 16 kHz.

const RATE = 16000;
const LONGEST = 30;

/** Return the samples of a sound file, at most 30 seconds, Float32Array from -1 to 1. */
export async function readSound(file) {
  const context = new OfflineAudioContext(1, RATE, RATE);
  const decoded = await context.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Error('cannot be read as a sound');
  });
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, index) => decoded.getChannelData(index));
  return channels[0].slice(0, RATE * LONGEST).map((_, at) => mean(channels, at));
}

function mean(channels, at) {
  return channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length;
}

/** Records from the microphone until it is toggled again; hands the file to `take`. */
export class Recorder {
  #take;
  #recording = null;

  constructor(take) {
    this.#take = take;
  }

  /** Begin or end; returns whether it records now. */
  async toggle() {
    if (this.#recording) {
      this.#recording.stop();
      this.#recording = null;
      return false;
    }
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const pieces = [];
    const recording = (this.#recording = new MediaRecorder(stream));
    recording.ondataavailable = ({ data }) => pieces.push(data);
    recording.onstop = () => {
      stream.getTracks().forEach((track) => track.stop());
      this.#take(new File(pieces, 'recording', { type: recording.mimeType }));
    };
    recording.start();
    return true;
  }
}
