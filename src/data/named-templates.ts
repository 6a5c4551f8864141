/** Refuses what these formats have no place for, so that nothing is left out without a word. */
const CHECKED = `
{%- if tools %}{{ raise_exception('this format has no place for tools') }}{% endif %}
{%- for message in messages %}
  {%- if message.tool_calls or message.role == 'tool' %}
    {{- raise_exception('this format has no place for tool calls and their results') }}
  {%- endif %}
{%- endfor %}`;

/** Sets `system` to the text of a system message at the start, and `turns` to the questions and answers. */
const WITH_SYSTEM = `${CHECKED}
{%- set system = '' %}
{%- set turns = messages %}
{%- if messages and messages[0].role == 'system' %}
  {%- set system = messages[0].content %}
  {%- set turns = messages[1:] %}
{%- endif %}
{%- for turn in turns %}
  {%- if turn.role not in ['user', 'assistant'] %}
    {{- raise_exception('this format has no place for the role ' ~ turn.role ~ ' after the first message') }}
  {%- endif %}
{%- endfor %}`;

/** The same for formats whose system message is part of the first question: the turns must alternate. */
const ALTERNATING = `${WITH_SYSTEM}
{%- for turn in turns %}
  {%- if (turn.role == 'user') != (loop.index0 % 2 == 0) %}
    {{- raise_exception('turns must alternate between user and assistant, and start with user') }}
  {%- endif %}
{%- endfor %}`;

const CHATML = `${CHECKED}
{%- for message in messages %}
  {{- '<|im_start|>' ~ message.role ~ '\n' ~ message.content ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`;

const LLAMA3 = `${CHECKED}
{{- bos_token }}
{%- for message in messages %}
  {{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\n\n' }}
  {{- message.content | trim ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}`;

const LLAMA2 = `${ALTERNATING}
{%- for turn in turns %}
  {%- if turn.role == 'user' %}
    {%- set head = '<<SYS>>\n' ~ system ~ '\n<</SYS>>\n\n' if loop.first and system else '' %}
    {{- bos_token ~ '[INST] ' ~ head ~ turn.content | trim ~ ' [/INST]' }}
  {%- else %}
    {{- ' ' ~ turn.content | trim ~ ' ' ~ eos_token }}
  {%- endif %}
{%- endfor %}`;

const GEMMA = `${ALTERNATING}
{{- bos_token }}
{%- for turn in turns %}
  {%- set head = system | trim ~ '\n\n' if loop.first and system else '' %}
  {{- '<start_of_turn>' ~ ('model' if turn.role == 'assistant' else 'user') ~ '\n' }}
  {{- head ~ turn.content | trim ~ '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}`;

const mistral = (question: string) => `
{%- for turn in turns %}
  {%- if turn.role == 'user' %}
    ${question}
  {%- else %}
    {{- turn.content ~ eos_token }}
  {%- endif %}
{%- endfor %}`;

const MISTRAL = `${ALTERNATING}
{{- bos_token }}${mistral(`{%- set head = system ~ '\n\n' if loop.first and system else '' %}
    {{- '[INST]' ~ head ~ turn.content ~ '[/INST]' }}`)}`;

const MISTRAL_V7 = `${WITH_SYSTEM}
{{- bos_token }}
{%- if system %}{{ '[SYSTEM_PROMPT]' ~ system ~ '[/SYSTEM_PROMPT]' }}{% endif %}${mistral(
  "{{- '[INST]' ~ turn.content ~ '[/INST]' }}",
)}`;

const PHI = `${CHECKED}
{%- for message in messages %}
  {{- '<|' ~ message.role ~ '|>\n' ~ message.content ~ '<|end|>\n' }}
{%- endfor %}
{{- '<|assistant|>\n' if add_generation_prompt else eos_token }}`;

const ZEPHYR = `${CHECKED}
{%- for message in messages %}
  {{- '<|' ~ message.role ~ '|>\n' ~ message.content ~ eos_token ~ '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}`;

const ALPACA = `${WITH_SYSTEM}
{{- bos_token }}
{%- if system %}{{ system ~ '\n\n' }}{% endif %}
{%- for turn in turns %}
  {%- if turn.role == 'user' %}
    {{- '### Instruction:\n' ~ turn.content ~ '\n\n' }}
  {%- else %}
    {{- '### Response:\n' ~ turn.content ~ eos_token ~ '\n\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}`;

const VICUNA = `${WITH_SYSTEM}
{{- bos_token }}
{%- if system %}{{ system ~ '\n\n' }}{% endif %}
{%- for turn in turns %}
  {%- if turn.role == 'user' %}
    {{- 'USER: ' ~ turn.content ~ '\n' }}
  {%- else %}
    {{- 'ASSISTANT: ' ~ turn.content ~ eos_token ~ '\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}`;

/** Chat templates of common formats, by the names that the option `chatTemplate` accepts. None of them has tools. */
export const NAMED_TEMPLATES: ReadonlyMap<string, string> = new Map([
  ['chatml', CHATML],
  ['llama3', LLAMA3],
  ['llama2', LLAMA2],
  ['gemma', GEMMA],
  ['mistral', MISTRAL],
  ['mistral-v7', MISTRAL_V7],
  ['phi', PHI],
  ['zephyr', ZEPHYR],
  ['alpaca', ALPACA],
  ['vicuna', VICUNA],
]);
