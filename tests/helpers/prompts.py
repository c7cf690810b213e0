"Tokenizers with a chat template or of another kind, and questions about a text."
from copy import deepcopy

from iepile_nb.questions import Question, instruction
from iepile_nb.tasks import get_task

CHATML = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def with_chat(tokenizer, text=CHATML):
    "The tokenizer with a chat template."
    tokenizer = deepcopy(tokenizer)
    tokenizer.chat_template = text
    return tokenizer


def sentencepiece_like():
    "A tokenizer that marks blanks, and puts a blank before the first word of a text only."
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    bpe = Tokenizer(models.BPE(unk_token='<unk>'))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme='first')
    bpe.decoder = decoders.Metaspace(prepend_scheme='first')
    special = ['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>']
    texts = [CHATML, 'abcdefghijklmnopqrstuvwxyz {"input": "[INST] x [/INST]"} 0123'] * 3
    trainer = trainers.BpeTrainer(vocab_size=200, show_progress=False, special_tokens=special)
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token='<s>', eos_token='</s>', unk_token='<unk>')


def ask(text):
    "A NER question about a text."
    return instruction(get_task('NER'), 'zh', [Question('人物'), Question('city')], text)


def next_in(batch, ids):
    "What should come next at each place of a batch, read from the ids themselves."
    return [int(ids.flatten()[p + 1]) for p in batch['places']]
