// Greedy tokens of transformers.js. Usage: node generate.mjs MODULES, with one JSON object on standard input:
// {folder, dtype, count, ids, banned}, and for a picture or a sound its inputs as {name: [type, shape, values]}.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const modules = pathToFileURL(`${process.argv[2]}/`);
const { AutoModelForCausalLM, AutoModelForImageTextToText, Tensor, env } = await import(
  new URL('@huggingface/transformers/dist/transformers.node.mjs', modules)
);
env.allowRemoteModels = false;
env.localModelPath = '/';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const tensor = ([type, shape, values]) =>
  new Tensor(type, type === 'int64' ? BigInt64Array.from(values.map(BigInt)) : type === 'bool' ? Uint8Array.from(values) : Float32Array.from(values), shape);
const media = Object.fromEntries(Object.entries(asked.media ?? {}).map(([name, value]) => [name, tensor(value)]));
const kind = asked.media ? AutoModelForImageTextToText : AutoModelForCausalLM;
const model = await kind.from_pretrained(asked.folder, { dtype: asked.dtype, device: 'cpu', local_files_only: true });
const length = asked.ids.length;
const made = await model.generate({
  input_ids: tensor(['int64', [1, length], asked.ids]),
  attention_mask: tensor(['int64', [1, length], asked.ids.map(() => 1)]),
  ...media,
  max_new_tokens: asked.count,
  min_new_tokens: asked.count,
  do_sample: false,
});
console.log(JSON.stringify(made.tolist()[0].slice(length).map(Number)));
