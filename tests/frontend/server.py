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

from aiohttp import WSMsgType, web
from playing import State, play_all

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACK = "comfyui-pez"
SECOND = "comfyui-pez-main"  # a second copy of the pack, listed with {"twice": true}

STATE = web.AppKey("state", "State")


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


async def painter(request: web.Request) -> web.Response:
    """The answer to a chosen model, of those in {"advice": {model: answer}}."""
    state, body = request.app[STATE], await request.json()
    state.log["painter"].append(body)
    unknown = {"painter": None, "model": None, "fits": True, "here": True}
    return web.json_response(state.play.get("advice", {}).get(body["model"], unknown))


async def pictures(request: web.Request) -> web.Response:
    state, body = request.app[STATE], await request.json()
    state.log["pictures"].append(body)
    return web.json_response(body)


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
        ("POST", "/pez/painter", painter),
        ("POST", "/pez/pictures", pictures),
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
