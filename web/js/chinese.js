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
export const FROM_SERVER = {};
