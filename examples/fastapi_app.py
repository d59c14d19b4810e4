"""A FastAPI application with streaming chat. Run: uvicorn examples.fastapi_app:app."""

from fastapi import FastAPI

from tickertape.web.fastapi import chat_router

app = FastAPI(title="My application")
app.include_router(chat_router())
