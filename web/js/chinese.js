// The Chinese of every text in the panels, by the English that is in the code.

/** @type {Record<string, string>} */
export const CHINESE = {
  // While a node runs
  "Use best so far": "用目前最好的",
  "finishing…": "正在结束…",
  "Downloading {model}: {percent} %": "正在下载 {model}：{percent} %",
  "Looking at the picture…": "正在看图片…",
  "Loading {model}…": "正在加载 {model}…",
  "Measuring what to keep away from…": "正在测量要避开的含义…",
  "Asking the model you paint with…": "正在询问出图模型…",
  "Working…": "运行中…",
  "step {step} of {total}": "第 {step} 步，共 {total} 步",
  "refining, step {step} of {total}": "逐词改进，第 {step} 步，共 {total} 步",
  "round {step} of at most {total}": "第 {step} 轮，最多 {total} 轮",
  "editing, round {step} of at most {total}": "修改中，第 {step} 轮，最多 {total} 轮",
  "the model you paint with is choosing": "出图模型正在挑选",
  "the model you paint with tries other words": "出图模型正在试别的词",

  // Why it ended
  "all steps done": "步数已满",
  "all rounds done": "轮数已满",
  decided: "已分出高下",
  "time limit reached": "时间已到",
  "no further improvement": "不再提高",
  "stopped by you": "由你结束",
  "interrupted, best so far": "已中断，目前最好的结果",
  "ended with an error, best so far": "出错结束，目前最好的结果",
  "connection lost, best so far": "连接中断，目前最好的结果",
  "interrupted, ranking so far": "已中断，目前的排名",
  "ended with an error, ranking so far": "出错结束，目前的排名",
  "connection lost, ranking so far": "连接中断，目前的排名",

  // Results
  "Run the workflow. The prompt appears here while it is learned.":
    "运行工作流后，这里会显示正在学习的提示词。",
  "Run the workflow. The prompts appear here in order, best first.":
    "运行工作流后，提示词会在这里排好，最好的在前。",
  "Run the workflow. The words of the prompt appear here.": "运行工作流后，这里会显示提示词的词。",
  "This graph paints with {painter}, which reads sentences: learned words do not steer it. Prompt Ranker chooses among sentences.":
    "此工作流用 {painter} 出图，它读的是句子，学到的词影响不了它。可以用“提示词排名”在几个句子中挑选。",
  "What this graph paints with reads sentences: learned words do not steer it. Prompt Ranker chooses among sentences.":
    "此工作流的出图模型读的是句子，学到的词影响不了它。可以用“提示词排名”在几个句子中挑选。",
  "Words learned for {model} may not reach what this graph paints with.":
    "为 {model} 学的词可能影响不了此工作流的出图模型。",
  "This graph paints with {painter}. Words learned for {model} may not reach it.":
    "此工作流用 {painter} 出图，为 {model} 学的词可能影响不了它。",
  "Choose {model}": "改选 {model}",
  "The CLIP for {model} is not on this machine yet: the first run downloads it.":
    "本机还没有 {model} 对应的 CLIP，第一次运行时会下载。",
  "The first run downloads the image encoder for {model}, unless a file on this machine has it.":
    "第一次运行会下载 {model} 的图像编码器，除非本机已有包含它的文件。",
  "The edits are saved. Their words appear after the next run.": "修改已保存，下次运行后显示。",
  "{n} of {all}": "{n} / {all}",
  "previous result": "上一个结果",
  "next result": "下一个结果",
  "{steps} steps": "{steps} 步",
  "{passes} passes": "{passes} 次计算",
  "{passes} passes of the model. Click to copy": "模型计算 {passes} 次。点击复制",
  "Other candidates, with their similarity": "其他候选及其相似度",
  "The error is a share of that without words.": "误差以没有文字时为 1。",
  "None of them helps the model.": "没有一条对模型有帮助。",
  "Green words help, underlined ones harm.": "绿色的词有帮助，带下划线的词有妨碍。",
  Copy: "复制",
  "Copy the prompt, escaped for a prompt box": "复制提示词，已为提示词框转义",
  "Click to copy": "点击复制",
  copied: "已复制",
  "not copied": "没有复制成功",
  "{seconds} s": "{seconds} 秒",
  "{minutes} min {seconds} s": "{minutes} 分 {seconds} 秒",
  "error {value}": "误差 {value}",

  // Edits by the model
  "Edited by the model you paint with": "出图模型的修改",
  "error −{gain} by this edit. Click to copy the prompt": "这处修改使误差减少 {gain}。点击复制提示词",
  "No edit is surely better.": "没有确定更好的修改。",
  "The time was up before an edit.": "还没修改，时间已到。",
  "Stopped before an edit.": "还没修改就结束了。",
  "No edit was taken.": "没有接受修改。",

  // Words
  tokens: "token",
  words: "词",
  "token {id}": "token {id}",
  "token {id}, of the template": "token {id}，来自模板",
  "token ids: {ids}": "token 编号：{ids}",
  "an embedding: passed on as it is, and not measured": "embedding：原样传下去，不测量",
  "In its place, with their similarity": "换成这些词时的相似度",
  "In its place, with their error": "换成这些词时的误差",
  "other words, then Enter": "输入别的词，按回车",
  "not measured": "未测量",
  "{change} without it": "去掉后 {change}",
  "error {change} without it": "去掉后误差 {change}",
  "{change} to “{concept}” without it": "去掉后与“{concept}”的相似度 {change}",
  "The prompt is empty: type one, or connect one.": "提示词是空的：写一条，或接一条。",
  Lock: "锁定",
  Unlock: "解锁",
  Ban: "禁用",
  "Allow again": "取消禁用",
  "Back to “{word}”": "恢复“{word}”",
  "Replace by": "换成",
  locked: "已锁定",
  banned: "已禁用",
  replaced: "已替换",
  "near {concept}": "接近“{concept}”",
  "Banned: {words}": "禁用：{words}",
  "Also banned: {words}": "另外禁用：{words}",
  similarity: "相似度",
  "similarity to {what}": "与{what}的相似度",
  "{error} of that without words": "{error}（没有文字时为 1）",
  "{encoder}: {tokens} tokens": "{encoder}：{tokens} 个 token",
  "numbers of the last run": "上次运行的数值",
  "The next run passes on: {text}": "下次运行将传出：{text}",
  "ComfyUI reads this text as “{text}”": "ComfyUI 把这段文字读成“{text}”",
  "{tokens} tokens: a new chunk begins": "{tokens} 个 token：从这里起是新的一段",
  "a new chunk begins here": "从这里起是新的一段",
  "Reset edits": "撤销修改",
  "Send to node": "发送到节点",
  "Set template and bans of the Image→Hard Prompt node that this prompt comes from":
    "写入这条提示词来源的“图像→硬提示词”节点的模板和禁用词",
  "connected on that node: {inputs}. Disconnect first": "那个节点上已接线：{inputs}。请先断开",
  sent: "已发送",

  // What to keep away from
  "Too near to {concepts}": "太接近：{concepts}",
  "Says outright {concepts}": "直接写出：{concepts}",
  "Keeps away from {concepts}": "已避开：{concepts}",
  "“{concept}” ({similarity})": "“{concept}”（{similarity}）",
  "“{concept}” ({similarity}, at most {limit})": "“{concept}”（{similarity}，上限 {limit}）",
  "Not known to this CLIP: {concepts}": "这个 CLIP 不认识：{concepts}",
  "Similarity of meaning to CLIP, and the highest similarity that is allowed":
    "在 CLIP 看来含义的相似度，以及允许的上限",
  "An empty text is as similar, so only the words are avoided. Try another model":
    "空文字也一样相似，所以只避开字面上的词。请换一个模型",

  // Nodes
  "Find its hard prompt": "反推硬提示词",
  "more or fewer options": "展开或收起选项",
};

/**
 * The Chinese of what the server says, notes and errors. {0}, {1} are what differs.
 * @type {Record<string, string>}
 */
export const FROM_SERVER = {
  // Notes, and what is known
  "the {0} in this graph has no trained projection (checkpoints leave it out): choose in `model` the model it belongs to, such as SD 1.5, or a CLIP file with a projection":
    "这个工作流里的 {0} 没有训练过的投影层（大模型里不含）：请在 `model` 里选它所属的模型，例如 SD 1.5，或带投影层的 CLIP 文件",
  "learned for the encoder of `clip_vision` alone: disconnect it to learn for both":
    "只为 `clip_vision` 的编码器学习：断开它就能为两者学习",
  "learned for {0} alone: {1}":
    "只为 {0} 学习：{1}",
  "`clip` contains no {0}":
    "`clip` 里没有 {0}",
  "{0} was left out: {1}":
    "{0} 没有用上：{1}",
  "with the projection of {0}":
    "用了 {0} 的投影层",
  "{0} reads these words beside T5: they steer it in part":
    "{0} 除了 T5 也读这些词：能起一部分作用",
  "{0} reads these words as one pooled vector: they steer it weakly":
    "{0} 把这些词读成一个池化向量：作用很弱",
  "out of memory with {0} restarts: {1} were used":
    "内存放不下 {0} 条：用了 {1} 条",
  "chosen by the model you paint with, which cannot tell the first {0} apart":
    "由出图模型挑选，前 {0} 条它分不出高下",
  "chosen by the model you paint with":
    "由出图模型挑选",
  "error {0}":
    "误差 {0}",
  "the model you paint with could not go on: {0}":
    "出图模型无法继续：{0}",
  "weights such as (word:1.2) were dropped":
    "(word:1.2) 这样的权重已去掉",
  "an embedding has no words to learn from, left out: {0}":
    "embedding 没有词可学，已略去：{0}",
  "; an embedding has no words to learn from":
    "；embedding 没有词可学",
  "passed on and not measured: {0}":
    "原样传下去，不测量：{0}",
  "the painter predicts values that are not finite: use it in float32":
    "出图模型给出的不是有限的数：请用 float32",
  "there is nothing to compare it with":
    "没有可以比较的",
  "the first is the best":
    "第一条最好",
  "the prompts cannot be told apart":
    "这些提示词分不出高下",
  "the first {0} cannot be told apart":
    "前 {0} 条分不出高下",
  "the picture":
    "图片",
  "the prompt itself":
    "提示词本身",
  "what it was learned for":
    "学习时的目标",

  // Errors
  "`image` is empty: check the node that is connected to it":
    "`image` 是空的：检查接到它的节点",
  "`model` paints into another picture (inpainting or editing), and needs more than a prompt: connect the text-to-image model":
    "`model` 是在另一张图上画的（重绘或编辑），只有提示词不够：请接文生图模型",
  "`painter_edits` needs the model that you paint with: connect `painter`, `vae` and `clip`, or set it to 0":
    "`painter_edits` 需要出图模型：接上 `painter`、`vae` 和 `clip`，或把它设为 0",
  "`vae` gives latents of {0} channels and {1} dimensions, but `model` works with {2} and {3}: connect the VAE that belongs to the model":
    "`vae` 给出的潜空间有 {0} 个通道、{1} 维，而 `model` 用的是 {2} 和 {3}：请接属于这个模型的 VAE",
  "`{0}` contains no picture (its shape is {1}): connect a node that returns at least one":
    "`{0}` 里没有图片（形状是 {1}）：请接至少返回一张图的节点",
  "`{0}` contains values of the type {1}: an IMAGE has numbers from 0 to 1, so divide them by 255":
    "`{0}` 的数值类型是 {1}：IMAGE 的数值是 0 到 1，请除以 255",
  "`{0}` contains values that are not numbers (NaN or infinity): check the node that made it, such as a VAE in half precision":
    "`{0}` 里有不是数字的值（NaN 或无穷大）：检查生成它的节点，例如半精度的 VAE",
  "`{0}` has the shape {1}, which is that of a mask or of a picture without its batch: put the node 'Convert Mask to Image' before this one":
    "`{0}` 的形状是 {1}，是遮罩或没有批次的图片：请在前面加上“遮罩转换为图像”节点",
  "`{0}` has {1} colour channels: connect an RGB picture, which may have alpha":
    "`{0}` 有 {1} 个颜色通道：请接 RGB 图片，可以带透明通道",
  "`{0}` has {1} x {2} pixels, more than the {3} that are read: make it smaller first":
    "`{0}` 有 {1} x {2} 像素，超过可读取的 {3}：请先缩小",
  "`{0}` is a {1} and not what ComfyUI's loaders return: connect one of them":
    "`{0}` 是 {1}，不是 ComfyUI 加载器的输出：请接加载器",
  "`{0}` is {1} x {2} pixels, too small to show anything: use at least {3} per side":
    "`{0}` 只有 {1} x {2} 像素，小得看不出内容：每边至少 {3}",
  "`{0}` is {1}, but must be one of {2}":
    "`{0}` 是 {1}，但必须是其中之一：{2}",
  "`{0}` is {1}, but must be {2}: check the node that is connected to it":
    "`{0}` 是 {1}，但必须是 {2}：检查接到它的节点",
  "a prompt is {0}, but must be a text: check the node that is connected to `prompts` or `candidates`":
    "有一条提示词是 {0}，但必须是文字：检查接到 `prompts` 或 `candidates` 的节点",
  "nothing to concatenate: type or connect a prompt with a positive weight, or choose the mode learn":
    "没有可以拼接的：写一条或接一条权重为正的提示词，或改用 learn 模式",
  "nothing to mix: type or connect a prompt, or connect an image, with a weight that is not 0{0}":
    "没有可以混合的：写一条或接一条提示词，或接一张图片，权重不能是 0{0}",
  "nothing to rank: write a prompt on each line of `prompts`, or connect `candidates`":
    "没有可以排名的：在 `prompts` 里一行写一条提示词，或接上 `candidates`",
  "nothing to view: type a prompt, or connect `prompt` or `tokens`":
    "没有可以查看的：写一条提示词，或接上 `prompt` 或 `tokens`",
  "the CLIP_VISION connected has a width of {0}, and this text encoder needs one of {1}: they come from different CLIPs, so connect two of the same CLIP":
    "接上的 CLIP_VISION 宽度是 {0}，而这个文本编码器需要 {1}：两者来自不同的 CLIP，请接同一个 CLIP 的",
  "the CLIP_VISION connected is not a CLIP, because it returns no picture features: connect that of the same CLIP as the text encoder":
    "接上的 CLIP_VISION 不是 CLIP，因为它不返回图片特征：请接与文本编码器同一个 CLIP 的",
  "the VAE's latent of the picture is not finite: load a VAE in float32":
    "VAE 得到的潜空间不是有限的数：请用 float32 加载 VAE",
  "the device does not have enough memory even for one restart ({0}): close other programs, choose a smaller model, or learn fewer tokens":
    "设备的内存连一条都不够（{0}）：关掉其他程序，选小一些的模型，或少学几个 token",
  "the package open_clip_torch is missing: install this pack's requirements.txt into ComfyUI's Python (pip install open_clip_torch), then start ComfyUI again":
    "缺少 open_clip_torch 包：把本插件的 requirements.txt 装到 ComfyUI 的 Python 里（pip install open_clip_torch），再重启 ComfyUI",
  "the picture features have {0} dimensions and the text encoder connected to `clip` is {1}: connect the CLIP_VISION, or choose the model, of the same CLIP":
    "图片特征有 {0} 维，而接到 `clip` 的文本编码器是 {1}：请接同一个 CLIP 的 CLIP_VISION，或选同一个 CLIP 的模型",
  "the picture features have {0} dimensions and the text encoder returns {1}: connect a CLIP_VISION, or choose a model, of the same CLIP":
    "图片特征有 {0} 维，而文本编码器给出 {1} 维：请接同一个 CLIP 的 CLIP_VISION，或选同一个 CLIP 的模型",
  "the prompt {0}… has more than {1} parentheses inside each other: remove some":
    "提示词 {0}… 的括号套了超过 {1} 层：请去掉一些",
  "the text encoder connected to `clip` ({0}) is a language model and holds no CLIP. What you paint with reads sentences, and learned words do not steer it. Describe the picture in a sentence, as Generate Text or Florence-2 does, and let Prompt Ranker choose among several":
    "接到 `clip` 的文本编码器（{0}）是语言模型，不含 CLIP。你的出图模型读的是句子，学到的词对它不起作用。请用一句话描述图片（例如用“生成文本”或 Florence-2），再由“提示词排名”在几条里挑选",
  "the {0} connected to `clip` is quantised: connect one in float16, or disconnect `clip` and choose a model":
    "接到 `clip` 的 {0} 是量化的：请接 float16 的，或断开 `clip` 并选一个模型",
  "the {0} that you paint with is missing: connect it":
    "缺少你出图用的 {0}：请接上",
  "this pack needs ComfyUI 0.3.64 or newer, and this one is older ({0}): update ComfyUI":
    "本插件需要 ComfyUI 0.3.64 或更新的版本，而这个更旧（{0}）：请更新 ComfyUI",
  "to check the prompt against `avoid`, choose a model":
    "要对照 `avoid` 检查提示词，请选一个模型",
  "to compare the prompt with the picture, choose a model":
    "要把提示词和图片比较，请选一个模型",
  "to measure the words with `painter`, connect `image`":
    "要用 `painter` 测量词，请接上 `image`",
  "{0} contains only a text encoder and cannot see pictures: connect the CLIP_VISION of the same CLIP, or choose another model":
    "{0} 只有文本编码器，看不了图片：请接同一个 CLIP 的 CLIP_VISION，或换一个模型",
  "{0} is not a usable CLIP file any more: press R and choose another model":
    "{0} 已不是可用的 CLIP 文件：按 R 并换一个模型",
  "{0} is not on this machine and could not be downloaded ({1}). Put the file {2} into ComfyUI's folder models/text_encoders, press R and choose it in `model`. {3} needs no download, but paints for nobody":
    "{0} 不在本机，也下载不了（{1}）。请把文件 {2} 放进 ComfyUI 的 models/text_encoders，按 R，再在 `model` 里选它。{3} 无需下载，但没有人用它出图",
  "{0}. For {1}: {2}":
    "{0}。{1}：{2}",
  "{0}. {1} has the same size but different weights: the token tables have a cosine of {2}":
    "{0}。{1} 大小相同但权重不同：两张 token 表的余弦是 {2}",
  "{0}. {1} is a different CLIP, of width {2} where {3} has {4}":
    "{0}。{1} 是另一个 CLIP，宽度是 {2}，而 {3} 是 {4}",
};
