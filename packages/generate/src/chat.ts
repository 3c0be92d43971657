import { FinegrainError } from "@finegrain/graph";

/** One turn of a conversation. */
export interface ChatMessage {
  /** As the model's template knows it: "system", "user", "assistant". */
  readonly role: string;
  readonly content: string;
}

/** Texts of tokens that a template may put into a prompt. */
export interface TemplateTokens {
  readonly begin?: string;
  readonly end?: string;
}

/**
 * The prompt that a conversation is to a model, by the template that it was trained with: what the assistant says is to follow. Templates
 * are in Jinja's language; @huggingface/jinja, which is loaded for it, runs them.
 *
 * @param template the text of a `chat_template`.
 * @throws FinegrainError where the template cannot be run, or refuses the conversation: its own sentence.
 */
export async function chatPrompt(
  template: string,
  messages: readonly ChatMessage[],
  { begin = "", end = "" }: TemplateTokens = {},
): Promise<string> {
  if (messages.length === 0) throw new FinegrainError("the conversation is empty: there is nothing to answer");
  const { Template } = await import("@huggingface/jinja");
  try {
    return new Template(template).render({
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: true,
      bos_token: begin,
      eos_token: end,
    });
  } catch (error) {
    // Whatever the library throws is about the template or what it says of the conversation.
    throw new FinegrainError(`the model's chat template fails: ${(error as Error).message.split("\n")[0]}`);
  }
}
