// How long ago something was goes on counting while a page is looked at; and a page that nobody sees says so.
(() => {
  const zh = document.documentElement.lang.startsWith("zh");
  const units = [[86400, "d", "天前"], [3600, "h", "小时前"], [60, "min", "分钟前"]];
  const told = (seconds) => {
    if (seconds < 0) return zh ? "时间未到" : "ahead";
    for (const [size, en, cn] of units) {
      if (seconds >= size) return zh ? `${Math.floor(seconds / size)} ${cn}` : `${Math.floor(seconds / size)} ${en} ago`;
    }
    return zh ? `${Math.floor(seconds)} 秒前` : `${Math.floor(seconds)} s ago`;
  };
  setInterval(() => {
    const now = Date.now() / 1000;
    for (const each of document.querySelectorAll(".ago[data-at]")) {
      const text = told(now - Number(each.dataset.at));
      if (each.textContent !== text) each.textContent = text;
    }
  }, 1000);
})();
