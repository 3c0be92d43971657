import { FinegrainError, isJsonObject, type JsonObject, jsonObject, shownJson } from "@finegrain/graph";
import type { SpecialTokens } from "../../config.ts";
import { readJson } from "../../folder/checkpoint.ts";
import { exists } from "../../folder/run-folder.ts";
import { nodeFiles, nodePath } from "../../node.ts";

const TOKENIZER_CONFIG = "tokenizer_config.json";
const TEMPLATE = "chat_template.jinja";

/** A JSON file of a folder that may be missing. */
async function optional(folder: string, name: string): Promise<JsonObject> {
  const path = nodePath().join(folder, name);
  return (await exists(path)) ? jsonObject(await readJson(path), path) : {};
}

/**
 * A folder's chat template: its own file, or what tokenizer_config.json has, of several the one that is called "default". Undefined where
 * there is none.
 *
 * @throws FinegrainError where tokenizer_config.json has something else.
 */
export async function readChatTemplate(folder: string): Promise<string | undefined> {
  const file = nodePath().join(folder, TEMPLATE);
  if (await exists(file)) return nodeFiles().readFile(file, "utf8");
  const { chat_template: found } = await optional(folder, TOKENIZER_CONFIG);
  const usual: unknown = Array.isArray(found)
    ? found.find((one: unknown) => isJsonObject(one) && one.name === "default")?.template
    : (found ?? undefined);
  if (usual === undefined || typeof usual === "string") return usual;
  throw new FinegrainError(`${folder}: chat_template must be a text or a list of them, not ${shownJson(found)}`);
}

/**
 * What begins and ends a text, by the files beside a config.json: generation_config.json and the config say the end,
 * tokenizer_config.json, or the post-processor of tokenizer.json, whether there is a beginning.
 *
 * @throws FinegrainError where a file is no JSON, or an id is none.
 */
export async function readSpecialTokens(config: JsonObject, folder: string): Promise<SpecialTokens> {
  const generation = await optional(folder, "generation_config.json");
  const { add_bos_token: asked } = await optional(folder, TOKENIZER_CONFIG);
  const { post_processor: processor } = await optional(folder, "tokenizer.json");
  const begins = typeof asked === "boolean" ? asked : beginsBySpecialToken(processor);
  const [begin] = idsOf(generation.bos_token_id ?? config.bos_token_id, "bos_token_id", folder);
  const end = idsOf(generation.eos_token_id ?? config.eos_token_id, "eos_token_id", folder);
  return { ...(begins && begin !== undefined && { begin }), ...(end.length > 0 && { end }) };
}

/** One id, or a list of them. */
function idsOf(value: unknown, name: string, folder: string): number[] {
  const ids: unknown[] = Array.isArray(value) ? value : value == null ? [] : [value];
  if (ids.every((id): id is number => typeof id === "number" && Number.isSafeInteger(id) && id >= 0)) return ids;
  throw new FinegrainError(`${folder}: ${name} must be a token or a list of tokens, not ${shownJson(value)}`);
}

/** Whether a template puts a special token before a text. */
function beginsBySpecialToken(processor: unknown): boolean {
  if (!isJsonObject(processor)) return false;
  if (Array.isArray(processor.processors)) return processor.processors.some(beginsBySpecialToken);
  const [first]: unknown[] = Array.isArray(processor.single) ? processor.single : [];
  return processor.type === "TemplateProcessing" && isJsonObject(first) && "SpecialToken" in first;
}
