// Sounds as the model hears them: one channel, 16 kHz.

const RATE = 16000;
// Seconds: of what is heard at once, and of what is heard at all, in pieces.
const PIECE = 30;
const LONGEST = 300;
const SHORTEST = 0.1;

/** Return the samples of a sound file in pieces that are heard one by one, each a Float32Array from -1 to 1. */
export async function readSound(file) {
  const context = new OfflineAudioContext(1, RATE, RATE);
  const decoded = await context.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Error('cannot be read as a sound');
  });
  if (decoded.duration > LONGEST) throw new Error('lasts over 5 minutes, the most that is heard: cut it');
  if (decoded.duration < SHORTEST) throw new Error('is too short to hear anything');
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, index) => decoded.getChannelData(index));
  const samples = channels[0].map((_, at) => mean(channels, at));
  const count = Math.ceil(samples.length / (RATE * PIECE));
  const pieces = Array.from({ length: count }, (_, index) => samples.slice(index * RATE * PIECE, (index + 1) * RATE * PIECE));
  return pieces.filter((piece) => piece.length >= RATE * SHORTEST);
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
