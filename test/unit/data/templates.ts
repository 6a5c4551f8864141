/** Short templates that behave like those of well-known models. */

/** Writes BOS and no role headers: generation continues after '[/INST]'. */
export const INST =
  "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]" +
  '{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}';

/** Removes the reasoning of earlier turns, and starts the last turn with empty reasoning. */
export const THINK_LAST =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}" +
  "{% set answer = m.content.split('</think>')[-1].lstrip('\\n') %}" +
  '{% if loop.last %}<think>\n\n</think>\n\n{% endif %}{{ answer }}{% else %}{{ m.content }}{% endif %}' +
  '<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';

/** The generation prompt opens the reasoning, which finished turns do not have. */
export const THINK_OPEN =
  '{{ bos_token }}{% for m in messages %}' +
  "{% if m.role == 'user' %}<|user|>{{ m.content }}" +
  "{% else %}<|assistant|>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}" +
  '{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}';

/** Refuses a conversation that does not end with an assistant turn. */
export const FINISHED_ONLY =
  "{% if messages[-1].role != 'assistant' %}{{ raise_exception('unfinished') }}{% endif %}" +
  '{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}';

/** Drops the assistant turns, so that they cannot be found. */
export const WITHOUT_ANSWERS =
  "{% for m in messages %}{% if m.role != 'assistant' %}{{ m.content }};{% endif %}{% endfor %}";

/** Ends the whole text with EOS, after the end token of the last turn. */
export const CLOSED_BY_EOS =
  '{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>\n{% endfor %}' +
  '{% if add_generation_prompt %}<assistant>{% else %}{{ eos_token }}{% endif %}';

/** Always ends with a generation prompt. */
export const ALWAYS_OPEN =
  '{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}<assistant>';

/** Writes nothing after an answer but line breaks. */
export const NO_END =
  "{% for m in messages %}{% if m.role == 'user' %}### Instruction:\n{{ m.content }}\n\n" +
  '{% else %}### Response:\n{{ m.content }}\n\n{% endif %}{% endfor %}' +
  '{% if add_generation_prompt %}### Response:\n{% endif %}';

/** Marks what the model generates: the answer with its end token, and separately the text of a tool call. */
export const GENERATION = `{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% if m.call %}
[{% generation %}{{ m.call }}{% endgeneration %}]{% endif %}{% generation %}<|im_end|>{% endgeneration %}
{% else %}{{ m.content }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;
