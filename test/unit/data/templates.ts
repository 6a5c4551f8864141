/** Templates that behave as those of well-known models do, in few words. */

/** BOS inside the template, no header of its own: generation continues after '[/INST]'. */
export const INST =
  "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]" +
  '{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}';

/** Earlier turns lose their reasoning, the last one gets an empty one if it has none. */
export const THINK_LAST =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}" +
  "{% set answer = m.content.split('</think>')[-1].lstrip('\\n') %}" +
  '{% if loop.last %}<think>\n\n</think>\n\n{% endif %}{{ answer }}{% else %}{{ m.content }}{% endif %}' +
  '<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';

/** The header of a generation opens the reasoning, which finished turns do not have. */
export const THINK_OPEN =
  '{{ bos_token }}{% for m in messages %}' +
  "{% if m.role == 'user' %}<|user|>{{ m.content }}" +
  "{% else %}<|assistant|>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}" +
  '{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}';

/** Refuses every conversation that does not end with an answer, so also the part before one. */
export const FINISHED_ONLY =
  "{% if messages[-1].role != 'assistant' %}{{ raise_exception('unfinished') }}{% endif %}" +
  '{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}';

/** Takes the answers away: no turn can be found in it. */
export const WITHOUT_ANSWERS =
  "{% for m in messages %}{% if m.role != 'assistant' %}{{ m.content }};{% endif %}{% endfor %}";

/** Closes the whole text with EOS, after the last turn's own end token. */
export const CLOSED_BY_EOS =
  '{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>\n{% endfor %}' +
  '{% if add_generation_prompt %}<assistant>{% else %}{{ eos_token }}{% endif %}';

/** Opens a generation whether it was asked to or not. */
export const ALWAYS_OPEN =
  '{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}<assistant>';
