"""Offline training: PPO by Stable-Baselines3 on the batched environment, exported without torch."""
