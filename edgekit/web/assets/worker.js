// The model, in a thread of its own: transformers.js over onnxruntime-web, from files beside the page only.

import {
  AutoModelForCausalLM,
  AutoProcessor,
  AutoTokenizer,
  Gemma4ForConditionalGeneration,
  RawImage,
  StoppingCriteria,
  Tensor,
  TextStreamer,
  env,
} from './vendor/transformers.min.js';

const here = new URL('.', import.meta.url);
const root = new URL('..', here);
// A path: what transformers.js takes for an address, it does not take for local.
const FOLDER = root.pathname;
env.allowRemoteModels = false;
env.allowLocalModels = true;
// The files are on this machine already.
env.useBrowserCache = false;
env.useWasmCache = false;
env.backends.onnx.wasm.wasmPaths = {
  mjs: new URL('vendor/ort-wasm-simd-threaded.asyncify.mjs', here).href,
  wasm: new URL('vendor/ort-wasm-simd-threaded.asyncify.wasm', here).href,
};

// transformers.js' endings of file names.
const SUFFIXES = { fp32: '', fp16: '_fp16', int8: '_int8', q8: '_quantized', q4: '_q4', q4f16: '_q4f16' };
const BEST = {
  webgpu: ['q4f16', 'q4', 'fp16', 'fp32', 'int8', 'q8'],
  // A processor computes in float32, and in whole numbers.
  wasm: ['q4', 'int8', 'q8', 'fp32', 'fp16', 'q4f16'],
};
const ENCODERS = ['vision_encoder', 'audio_encoder'];
// Whether the answer is to end.
let stopped = false;
let tokenizer, processor, model, template, config;

class Stopping extends StoppingCriteria {
  _call(ids) {
    return ids.map(() => stopped);
  }
}

async function load({ dtype }) {
  config = await (await fetch(new URL('config.json', root))).json();
  const device = await findDevice();
  const files = new Set(Object.keys(config['transformers.js_config']?.use_external_data_format ?? {}));
  const has = (part, name) => files.has(`${part}${SUFFIXES[name]}.onnx`);
  const choose = (part, names) => names.find((name) => has(part, name));
  const body = dtype ?? choose('decoder_model_merged', BEST[device]);
  if (!body || !has('decoder_model_merged', body)) throw new Error(`The folder has no graphs in ${dtype ?? 'onnx/'}.`);
  const sees = ENCODERS.every((part) => choose(part, [body, ...BEST[device]]));
  const parts = ['embed_tokens', 'decoder_model_merged', ...(sees ? ENCODERS : [])];
  const dtypes = Object.fromEntries(parts.map((part) => [part, choose(part, [body, ...BEST[device]])]));
  tokenizer = await AutoTokenizer.from_pretrained(FOLDER);
  template = await findTemplate();
  processor = sees ? await AutoProcessor.from_pretrained(FOLDER) : null;
  const kind = sees ? Gemma4ForConditionalGeneration : AutoModelForCausalLM;
  model = await kind.from_pretrained(FOLDER, { device, dtype: dtypes, progress_callback: progress() });
  const forward = model.forward.bind(model);
  model.forward = async (inputs) => {
    await turn();
    return forward(inputs);
  };
  return { type: 'ready', device, dtype: body, sees, thinks: template.includes('enable_thinking') };
}

/** Let messages be read, "stop" for one: while tokens follow one another, none is. */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    // Sooner back than by setTimeout.
    port2.postMessage(null);
  });
}

/** Return the Jinja template of its own file, or of tokenizer_config.json. */
async function findTemplate() {
  const found = await fetch(new URL('chat_template.jinja', root));
  const text = found.ok ? await found.text() : tokenizer.chat_template;
  if (typeof text !== 'string') throw new Error('The folder has no chat_template.jinja: it is not made for conversations.');
  return text;
}

async function findDevice() {
  return (await navigator.gpu?.requestAdapter().catch(() => null)) ? 'webgpu' : 'wasm';
}

function progress() {
  const files = new Map();
  return ({ status, file, loaded, total }) => {
    if (status !== 'progress' || !total) return;
    files.set(file, [loaded, total]);
    const sum = (index) => [...files.values()].reduce((all, pair) => all + pair[index], 0);
    postMessage({ type: 'progress', loaded: sum(0), total: sum(1) });
  };
}

// What was written must not end a turn or open a channel: control tokens become words.
const harmless = (text) => text.replace(/<(?=\||(?:bos|eos|pad|unk|mask)>)/g, '< ').replaceAll('|>', '| >');

async function answer({ messages, settings }) {
  const started = performance.now();
  stopped = false;
  const inputs = await prepare(messages, settings.think);
  let raw = '';
  let first = 0;
  let count = 0;
  const streamer = new TextStreamer(tokenizer, {
    skip_prompt: true,
    skip_special_tokens: false,
    token_callback_function: () => {
      first ||= performance.now();
      count += 1;
    },
    callback_function: (piece) => {
      raw += piece;
      postMessage({ type: 'piece', raw });
    },
  });
  await model.generate({
    ...inputs,
    max_new_tokens: settings.longest,
    do_sample: settings.temperature > 0,
    ...(settings.temperature > 0 ? { temperature: settings.temperature, top_k: 64 } : {}),
    streamer,
    stopping_criteria: new Stopping(),
  });
  const now = performance.now();
  const rate = count > 1 ? ((count - 1) * 1000) / (now - first) : 0;
  return { type: 'done', raw, count, rate, wait: (first || now) - started, stopped };
}

/** Return what `generate` takes: the conversation's tokens, and its pictures and sounds. */
async function prepare(messages, think) {
  const [pictures, sounds] = ['pictures', 'sounds'].map((kind) => messages.flatMap((one) => one[kind] ?? []));
  const conversation = messages.map((message) => ({
    role: message.role,
    content: [
      ...(message.pictures ?? []).map(() => ({ type: 'image' })),
      ...(message.sounds ?? []).map(() => ({ type: 'audio' })),
      { type: 'text', text: harmless(message.text) },
    ],
  }));
  let prompt = tokenizer.apply_chat_template(conversation, {
    chat_template: template,
    tokenize: false,
    add_generation_prompt: true,
    enable_thinking: think,
  });
  let media = {};
  if (pictures.length) {
    const seen = await processor.image_processor(await Promise.all(pictures.map((blob) => RawImage.fromBlob(blob))));
    const counts = [...seen.num_soft_tokens_per_image];
    prompt = prompt.replaceAll('<|image|>', () => `<|image>${'<|image|>'.repeat(counts.shift())}<image|>`);
    media = { pixel_values: seen.pixel_values, image_position_ids: seen.image_position_ids };
  }
  if (sounds.length) {
    const counts = sounds.map((samples) => processor._compute_audio_num_tokens(samples.length, 16000));
    prompt = prompt.replaceAll('<|audio|>', () => `<|audio>${'<|audio|>'.repeat(counts.shift())}<audio|>`);
    media = { ...media, ...(await hear(sounds)) };
  }
  return { ...tokenizer(prompt, { add_special_tokens: false }), ...media };
}

/** Return the inputs of the audio encoder: each sound's spectrogram, filled up to the longest. */
async function hear(sounds) {
  const heard = [];
  for (const samples of sounds) heard.push(await processor.feature_extractor(samples));
  const [, , bins] = heard[0].input_features.dims;
  const longest = Math.max(...heard.map((one) => one.input_features.dims[1]));
  const features = new Float32Array(heard.length * longest * bins);
  const mask = new Uint8Array(heard.length * longest);
  heard.forEach((one, index) => {
    features.set(one.input_features.data, index * longest * bins);
    mask.set(one.input_features_mask.data, index * longest);
  });
  return {
    input_features: new Tensor('float32', features, [heard.length, longest, bins]),
    input_features_mask: new Tensor('bool', mask, [heard.length, longest]),
  };
}

onmessage = async ({ data }) => {
  try {
    if (data.type === 'stop') stopped = true;
    else postMessage(await (data.type === 'load' ? load(data) : answer(data)));
  } catch (problem) {
    postMessage({ type: 'error', during: data.type, text: String(problem?.message ?? problem) });
  }
};
