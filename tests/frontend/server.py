"""The real front end of ComfyUI with a stand-in for its server, which plays a recorded run.

    python server.py --front DIR    (DIR holds comfyui_frontend_package; prints its port)

The tests steer it: POST /test/play {"mode": …} says how the next runs go ("run", "hold": wait for
/pez/finish or an interrupt, "error", "cached"), GET /test/log gives the bodies of the requests.
With {"keep": true} a run that is finished goes on until POST /test/go; with {"slow_reply": true} a
prompt is answered when it has run; with {"twice": true} the pack is installed twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import recording
from aiohttp import WSMsgType, web

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LEARNERS = ("PEZ_ImageToHardPrompt", "PEZ_PromptMixer")
RANKER = "PEZ_PromptRanker"
PACK = "comfyui-pez"
SECOND = "comfyui-pez-main"  # a second copy of the pack, listed with {"twice": true}

STATE = web.AppKey("state", "State")


class State:
    """What one server knows: its sockets, what was asked of it, and how runs go."""

    def __init__(self) -> None:
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.log: dict[str, list[Any]] = {"prompt": [], "finish": [], "interrupt": []}
        self.play: dict[str, Any] = {"mode": "run"}
        self.settings: dict[str, Any] = {}
        self.files: dict[str, str] = {}  # saved workflows
        self.queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.played: dict[str, asyncio.Event] = {}  # by prompt: when it has run
        self.finished = asyncio.Event()
        self.interrupted = asyncio.Event()
        self.go = asyncio.Event()

    async def send(self, kind: str, /, **data: Any) -> None:
        for socket in list(self.sockets.values()):
            if not socket.closed:
                await socket.send_json({"type": kind, "data": data})


class Interrupted(Exception):
    pass


async def play_prompt(state: State, prompt_id: str, body: dict[str, Any]) -> None:
    """Sends the events of one run, in ComfyUI's order."""
    state.finished.clear()
    state.interrupted.clear()
    play = dict(state.play)
    await state.send("execution_start", prompt_id=prompt_id, timestamp=0)
    await state.send("execution_cached", nodes=[], prompt_id=prompt_id, timestamp=0)
    try:
        for node, call in body["prompt"].items():
            if call["class_type"] in LEARNERS:
                await play_learner(state, play, node, prompt_id)
            elif call["class_type"] == RANKER:
                await play_ranker(state, play, node, prompt_id)
            elif call["class_type"] == "PEZ_TokenViewer":
                edits = json.loads(call["inputs"].get("edits") or "{}")
                payload = recording.viewed(
                    edits, play.get("text"), play.get("words", 0), play.get("locked", [])
                )
                await executed(state, node, prompt_id, payload)
        await state.send("executing", node=None, prompt_id=prompt_id)
        await state.send("execution_success", prompt_id=prompt_id, timestamp=0)
    except Interrupted:
        await state.send(
            "execution_interrupted", prompt_id=prompt_id, node_id=node, node_type="", executed=[]
        )
    except RuntimeError as error:
        await state.send(
            "execution_error", prompt_id=prompt_id, node_id=node, node_type=call["class_type"],
            executed=[], exception_message=str(error), exception_type="RuntimeError",
            traceback=[], current_inputs={}, current_outputs=[], timestamp=0,
        )  # fmt: skip
    await state.send("status", status={"exec_info": {"queue_remaining": state.queue.qsize()}})


async def play_learner(state: State, play: dict[str, Any], node: str, prompt_id: str) -> None:
    if play["mode"] == "cached":
        return await executed(state, node, prompt_id, recording.learned(text=play.get("text")))
    await state.send("executing", node=node, display_node=node, prompt_id=prompt_id)
    stopped = "plateau"
    for step in range(1, recording.TOTAL + 1):
        await state.send(
            "progress", value=step, max=recording.TOTAL, node=node, prompt_id=prompt_id
        )
        await state.send("pez.progress", **recording.progress(step, node, prompt_id))
        if play["mode"] == "error" and step == 6:
            raise RuntimeError("no such model")
        if play["mode"] == "hold" and step == 8:
            stopped = await hold(state)
            break
        await asyncio.sleep(play.get("pause", 0.02))
    return await executed(state, node, prompt_id, recording.learned(stopped, play.get("text")))


async def play_ranker(state: State, play: dict[str, Any], node: str, prompt_id: str) -> None:
    for step in range(1, recording.TOTAL + 1):
        told = {**recording.ranking(step), "node": node, "prompt_id": prompt_id}
        await state.send("pez.progress", **told)
        if play["mode"] == "error" and step == 6:
            raise RuntimeError("no such model")
        if play["mode"] == "hold" and step == 8:
            await hold(state)
            return await executed(state, node, prompt_id, recording.ranking(step, "stopped"))
        await asyncio.sleep(play.get("pause", 0.02))
    done = recording.ranking(recording.TOTAL, text=play.get("text"))
    return await executed(state, node, prompt_id, done)


async def hold(state: State) -> str:
    waiting = [asyncio.create_task(e.wait()) for e in (state.finished, state.interrupted)]
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if state.interrupted.is_set():
        raise Interrupted
    return "user"


async def executed(state: State, node: str, prompt_id: str, payload: dict[str, Any]) -> None:
    output = {"pez": [payload], "text": [payload["text"]]}
    await state.send("executed", node=node, display_node=node, output=output, prompt_id=prompt_id)


async def play_all(state: State) -> None:
    while True:
        prompt_id, body = await state.queue.get()
        await play_prompt(state, prompt_id, body)
        state.played[prompt_id].set()


async def socket(request: web.Request) -> web.WebSocketResponse:
    state = request.app[STATE]
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    client = request.query.get("clientId") or "client"
    state.sockets[client] = ws
    status = {"exec_info": {"queue_remaining": 0}}
    await ws.send_json({"type": "status", "data": {"status": status, "sid": client}})
    async for message in ws:
        if message.type == WSMsgType.TEXT and "feature_flags" in message.data:
            await ws.send_json({"type": "feature_flags", "data": {}})
    return ws


async def queue_prompt(request: web.Request) -> web.Response:
    state = request.app[STATE]
    body = await request.json()
    prompt_id = str(uuid.uuid4())
    state.log["prompt"].append({**body, "prompt_id": prompt_id})
    state.played[prompt_id] = asyncio.Event()
    state.queue.put_nowait((prompt_id, body))
    if state.play.get("slow_reply"):  # the events overtake the answer
        await state.played[prompt_id].wait()
    return web.json_response({"prompt_id": prompt_id, "number": 1, "node_errors": {}})


async def finish(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.log["finish"].append(await request.json())
    if state.play.get("keep"):
        await state.go.wait()
    state.finished.set()
    return web.json_response({"finished": True})


async def interrupt(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.log["interrupt"].append(await request.text())
    state.interrupted.set()
    return web.json_response({})


async def set_play(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.play = {"mode": "run", **await request.json()}
    state.go.clear()
    for entries in state.log.values():
        entries.clear()
    return web.json_response({})


async def go_on(request: web.Request) -> web.Response:
    request.app[STATE].go.set()
    return web.json_response({})


async def save_settings(request: web.Request) -> web.Response:
    state, key = request.app[STATE], request.match_info.get("key")
    value = await request.json()
    state.settings.update({key: value} if key else value)
    return web.json_response({})


async def save_file(request: web.Request) -> web.Response:
    state, path = request.app[STATE], request.match_info["path"]
    state.files[path] = await request.text()
    return web.json_response({"path": path, "size": len(state.files[path]), "modified": 1})


async def load_file(request: web.Request) -> web.Response:
    text = request.app[STATE].files.get(request.match_info["path"])
    return web.Response(status=404) if text is None else web.Response(text=text)


def locales() -> dict[str, Any]:
    """As ComfyUI's /i18n: the pack's files, by language."""
    found: dict[str, Any] = {}
    for path in sorted(ROOT.glob("locales/*/*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        nested = data if path.stem == "main" else {path.stem: data}
        found.setdefault(path.parent.name, {}).update(nested)
    return found


def answers(state: State) -> dict[str, Any]:
    """The GET routes whose answer never changes (or is read afresh when called)."""
    system = {
        "os": "linux", "comfyui_version": "0.8.0", "python_version": "3.11",
        "pytorch_version": "2", "embedded_python": False, "argv": [],
        "ram_total": 1, "ram_free": 1,
    }  # fmt: skip
    return {
        "/system_stats": lambda: {"system": system, "devices": []},
        "/users": lambda: {"storage": "server", "migrated": True},
        "/queue": lambda: {"queue_running": [], "queue_pending": []},
        "/history": dict,
        "/jobs": lambda: {"jobs": [], "pagination": {"total": 0}},
        "/i18n": locales,
        "/object_info": lambda: json.loads((HERE / "object_info.json").read_text("utf-8")),
        "/workflow_templates": dict,
        "/global_subgraphs": dict,
        "/experiment/models": list,
        "/embeddings": list,
        "/features": dict,
        "/settings": lambda: {"Comfy.TutorialCompleted": True, **state.settings},
        "/userdata": list,
        "/test/log": lambda: state.log,
    }


def extensions(static: Path, state: State) -> list[str]:
    """As ComfyUI: its own scripts and every script of each pack's web folder."""
    packs = [PACK, SECOND] if state.play.get("twice") else [PACK]
    core = sorted(
        "/" + path.relative_to(static).as_posix() for path in static.glob("extensions/**/*.js")
    )
    web_root = ROOT / "web"
    own = sorted(path.relative_to(web_root).as_posix() for path in web_root.rglob("*.js"))
    return core + [f"/extensions/{pack}/{path}" for pack in packs for path in own]


def make_app(static: Path) -> web.Application:
    app = web.Application()
    state = app[STATE] = State()
    routes: list[tuple[str, str, Any]] = [
        ("POST", "/prompt", queue_prompt),
        ("POST", "/pez/finish", finish),
        ("POST", "/interrupt", interrupt),
        ("POST", "/settings", save_settings),
        ("POST", "/settings/{key}", save_settings),
        ("POST", "/userdata/{path}", save_file),
        ("GET", "/userdata/{path}", load_file),
        ("POST", "/test/play", set_play),
        ("POST", "/test/go", go_on),
        ("GET", "/ws", socket),
    ]
    for path, answer in answers(state).items():
        routes.append(("GET", path, json_handler(answer)))
    routes.append(("GET", "/extensions", json_handler(lambda: extensions(static, state))))
    for method, path, handler in routes:
        app.router.add_route(method, path, handler)
        app.router.add_route(method, "/api" + path, handler)
    for pack in (PACK, SECOND):
        app.router.add_static(f"/extensions/{pack}", ROOT / "web")
    app.router.add_get("/", lambda _: web.FileResponse(static / "index.html"))
    app.router.add_static("/", static)
    return app


def json_handler(answer: Any) -> Any:
    async def handle(_: web.Request) -> web.Response:
        return web.json_response(answer())

    return handle


async def serve(static: Path, port: int) -> None:
    app = make_app(static)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await play_all(app[STATE])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--front", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    asyncio.run(serve(args.front / "comfyui_frontend_package" / "static", args.port))


if __name__ == "__main__":
    main()
